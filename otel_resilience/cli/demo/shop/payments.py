"""Payments: looks up the account in the ledger and books the amount. gRPC, with JSON for messages."""

from __future__ import annotations

import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import requests

LEDGER = os.environ["SHOP_LEDGER_URL"]
FAILURE_FILE = Path(os.environ["SHOP_FAILURE_FILE"])


class PaymentError(Exception):
    """The payment broke, for the reason that its code names."""

    def __init__(self, error_code: str) -> None:
        super().__init__(f"payment broke: {error_code}")
        self.error_code = error_code


def charge(message: dict[str, Any], context: grpc.ServicerContext) -> dict[str, Any]:
    if FAILURE_FILE.exists():
        raise PaymentError(FAILURE_FILE.read_text().strip())
    try:
        account = requests.get(f"{LEDGER}/accounts/{message['account']}")
        account.raise_for_status()
        entry = requests.post(
            f"{LEDGER}/entries", json={"account": account.json()["id"], "amount": message["amount"]}
        )
        entry.raise_for_status()
    except requests.RequestException as error:
        context.abort(grpc.StatusCode.UNAVAILABLE, f"the ledger does not answer: {type(error).__name__}")
    return {"entry": entry.json()["entry"]}


def main() -> None:
    # Without SO_REUSEPORT a second process on this port is an error instead of a silent sharer.
    server = grpc.server(ThreadPoolExecutor(max_workers=8), options=[("grpc.so_reuseport", 0)])
    handler: grpc.RpcMethodHandler[dict[str, Any], dict[str, Any]] = grpc.unary_unary_rpc_method_handler(
        charge,
        request_deserializer=json.loads,
        response_serializer=lambda message: json.dumps(message).encode(),
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("shop.v1.Payments", {"Charge": handler}),)
    )
    server.add_insecure_port(f"127.0.0.1:{os.environ['SHOP_PORT']}")
    server.start()
    # A clean exit lets the last spans and metrics leave.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.wait_for_termination()
    finally:
        server.stop(grace=1).wait()


if __name__ == "__main__":
    main()
