"""The ledger: accounts and entries in an SQLite file."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from flask import Flask, abort, request
from flask.typing import ResponseReturnValue

DATABASE = Path(os.environ["SHOP_LEDGER_FILE"])
FAILURE_FILE = Path(os.environ["SHOP_FAILURE_FILE"])

app = Flask("ledger")


class LedgerError(Exception):
    """The ledger broke, for the reason that its code names."""

    def __init__(self, error_code: str) -> None:
        super().__init__(f"ledger broke: {error_code}")
        self.error_code = error_code


def database() -> sqlite3.Connection:
    if FAILURE_FILE.exists():
        raise LedgerError(FAILURE_FILE.read_text().strip())
    # Opened anew for each request and never created: a ledger that has lost its file must not start an empty one.
    return sqlite3.connect(f"{DATABASE.as_uri()}?mode=rw", uri=True)


@app.get("/accounts/<account>")
def read(account: str) -> ResponseReturnValue:
    with closing(database()) as ledger:
        row = ledger.execute("SELECT id, balance FROM accounts WHERE id = ?", (account,)).fetchone()
    if row is None:
        abort(404)
    return {"id": row[0], "balance": row[1]}


@app.post("/entries")
def book() -> ResponseReturnValue:
    entry = request.get_json()
    with closing(database()) as ledger, ledger:
        ledger.execute(
            "UPDATE accounts SET balance = balance - ? WHERE id = ?", (entry["amount"], entry["account"])
        )
        row = ledger.execute(
            "INSERT INTO entries (account, amount) VALUES (?, ?)", (entry["account"], entry["amount"])
        )
    return {"entry": row.lastrowid}, 201


if __name__ == "__main__":
    # A clean exit lets the last spans and metrics leave.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app.run(host="127.0.0.1", port=int(os.environ["SHOP_PORT"]))
