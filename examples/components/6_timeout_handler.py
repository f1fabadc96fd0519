"""Timeouts by operation; a deadline is shared by everything inside, and a call that hangs leaves its caller alone."""

import threading

from otel_resilience import Deadline, ServiceTimeoutError, TimeoutHandler

never = threading.Event()
with TimeoutHandler(default=5.0, operations={"payments.charge": 0.05}) as handler:
    try:
        handler.call_with_timeout("payments", "charge", never.wait)
    except ServiceTimeoutError as error:
        print(f"{error.error_code}: {error}")

    def refund() -> str:
        return f"about {Deadline.current().remaining():.0f} s left for everything inside"

    print("payments.refund:", handler.call_with_timeout("payments", "refund", refund))
    never.set()
