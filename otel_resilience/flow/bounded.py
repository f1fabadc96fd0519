"""An invocation that its caller can leave behind: run by a worker thread, waited for until the deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from otel_resilience.clock import wait_in_real_time
from otel_resilience.context import deadline, guards
from otel_resilience.exceptions import DeadlineExceededError
from otel_resilience.flow.workers import Worker
from otel_resilience.outcome import Failure, Result, Success, unwrap


class BoundedInvocation:
    """Calls ``invoke`` in ``worker``; raises ``DeadlineExceededError`` when the current deadline passes first.

    What runs on then does so behind, and what it comes to is dropped. A second call at the same time runs in
    its own thread.
    """

    def __init__(self, worker: Worker, invoke: Callable[[], Any]) -> None:
        self._worker = worker
        self._invoke = invoke
        self.abandoned = False

    def __call__(self) -> Any:
        done = threading.Event()
        results: list[Result[Any]] = []

        def work() -> None:
            try:
                results.append(Success(self._invoke()))
            except BaseException as error:  # carried to the thread that waits
                results.append(Failure(error))

        branch, token = guards.enter_branch()
        taken = self._worker.run(work, done.set)
        guards.leave(token)
        if not taken:
            return self._invoke()
        # Really waited for, whatever clock the policies have: the thread runs in real time.
        if not wait_in_real_time(done, deadline.remaining()):
            self.abandoned = branch.left_behind = True
            raise DeadlineExceededError("left behind in its thread when the deadline passed")
        return unwrap(results.pop())
