"""One id for everything that one request causes, the way that it took, and errors and log lines that know it."""

import logging
import sys

from otel_resilience import CorrelationManager, DomainError
from otel_resilience.logs import CorrelationFilter

console = logging.StreamHandler(sys.stdout)
console.addFilter(CorrelationFilter())
logging.basicConfig(format="a log line of [%(correlation_id)s]: %(message)s", handlers=[console])

log = logging.getLogger("orders")
correlation = CorrelationManager()
with correlation.scope("order-42") as correlation_id:
    print("working under", correlation_id)
    with correlation.enter("gateway", "checkout"), correlation.enter("orders", "place"):
        try:
            raise correlation.error("OUT_OF_STOCK", "none left")
        except DomainError as error:
            print(f"{error.error_code} in {error.service} of request {error.correlation_id}")
            log.warning("the customer was told: %s", error)
            print(
                "the way:", " → ".join(f"{service}.{operation}" for service, operation in error.request_path)
            )
print("outside:", correlation.current())
with correlation.scope("not a valid id!") as correlation_id:
    print("an id that does not fit is replaced by one of", len(correlation_id), "hex digits")
