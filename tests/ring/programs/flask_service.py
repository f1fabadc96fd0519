"""A service of the ring over HTTP. It answers for what fails behind it, or lets it through, as it is told."""

from __future__ import annotations

import os
from typing import Any

import flask
import way
from far_end import arrive

app = flask.Flask("ring")


@app.get("/pass/<int:hops>/<kind>")
def hand_on(hops: int, kind: str) -> Any:
    if hops == 0:
        return arrive(kind)
    if os.environ["RING_STYLE"] == "raises":
        return way.go_on(hops - 1, kind)
    try:
        return way.go_on(hops - 1, kind)
    except way.FAILURES as error:
        return f"the next service failed: {type(error).__name__}", 502


@app.get("/stranger/<client>")
def stranger(client: str) -> Any:
    try:
        return way.ask_stranger(client)
    except way.FAILURES as error:
        return f"the stranger failed: {type(error).__name__}", 502


if __name__ == "__main__":
    way.start_loop()
    app.run("127.0.0.1", int(os.environ["RING_PORT"]), threaded=True)
