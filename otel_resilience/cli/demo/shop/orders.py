"""Orders: lets the customer pay, and then keeps the order."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import grpc
from flask import Flask, request
from flask.typing import ResponseReturnValue

FAILURE_FILE = Path(os.environ["SHOP_FAILURE_FILE"])

app = Flask("orders")
numbers = itertools.count(1)

payments = grpc.insecure_channel(os.environ["SHOP_PAYMENTS_TARGET"])
charge: grpc.UnaryUnaryMultiCallable[dict[str, Any], dict[str, Any]] = payments.unary_unary(
    "/shop.v1.Payments/Charge",
    request_serializer=lambda message: json.dumps(message).encode(),
    response_deserializer=json.loads,
)


class OrderError(Exception):
    """The order broke, for the reason that its code names."""

    def __init__(self, error_code: str) -> None:
        super().__init__(f"order broke: {error_code}")
        self.error_code = error_code


@app.post("/orders")
def place() -> ResponseReturnValue:
    if FAILURE_FILE.exists():
        raise OrderError(FAILURE_FILE.read_text().strip())
    order = request.get_json()
    try:
        receipt = charge({"account": order["account"], "amount": order["amount"]})
    except grpc.RpcError:
        app.logger.exception("the payment was not made")
        return {"error": "the payment was not made"}, 503
    return {"order": next(numbers), "entry": receipt["entry"]}


if __name__ == "__main__":
    # A clean exit lets the last spans and metrics leave.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app.run(host="127.0.0.1", port=int(os.environ["SHOP_PORT"]))
