"""Named pools: what is not critical can fill its own pool, and never that of what is."""

import threading

from otel_resilience import Bulkhead, BulkheadFullError

Bulkhead.create_pool("critical", max_concurrency=2)
Bulkhead.create_pool("reports", max_concurrency=1, max_queue=0)

running, done = threading.Event(), threading.Event()


def slow_report() -> None:
    running.set()
    done.wait()


thread = threading.Thread(target=lambda: Bulkhead.pool("reports").call(slow_report))
thread.start()
running.wait()
try:
    Bulkhead.pool("reports").call(slow_report)
except BulkheadFullError as error:
    print(f"a second report: {error.error_code}")
print("a payment at the same time:", Bulkhead.pool("critical").call(lambda: "done"))
done.set()
thread.join()
print("a report later:", Bulkhead.pool("reports").call(lambda: "done"))
