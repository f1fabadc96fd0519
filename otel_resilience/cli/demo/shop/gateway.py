"""The shop's front door: takes a checkout from a customer and places the order."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import requests
from flask import Flask, request
from flask.typing import ResponseReturnValue

ORDERS = os.environ["SHOP_ORDERS_URL"]
FAILURE_FILE = Path(os.environ["SHOP_FAILURE_FILE"])

app = Flask("gateway")


class CheckoutError(Exception):
    """The checkout broke, for the reason that its code names."""

    def __init__(self, error_code: str) -> None:
        super().__init__(f"checkout broke: {error_code}")
        self.error_code = error_code


@app.post("/checkout")
def checkout() -> ResponseReturnValue:
    if FAILURE_FILE.exists():
        raise CheckoutError(FAILURE_FILE.read_text().strip())
    try:
        order = requests.post(f"{ORDERS}/orders", json=request.get_json())
        order.raise_for_status()
    except requests.RequestException:
        app.logger.exception("the order was not placed")
        return {"error": "the order was not placed"}, 502
    placed: dict[str, Any] = order.json()
    return placed


if __name__ == "__main__":
    # A clean exit lets the last spans and metrics leave.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app.run(host="127.0.0.1", port=int(os.environ["SHOP_PORT"]))
