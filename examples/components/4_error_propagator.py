"""Each service adds its hop; whoever gets the error at last reads where it began and which way it came."""

from otel_resilience import DomainError, ErrorPropagator, RemoteError, error_chain

# In the stock service:
failure = DomainError("OUT_OF_STOCK", "none left", retryable=True)
ErrorPropagator("stock", "1.4.2").propagate(failure, operation="reserve")
message: dict[str, str] = {}
ErrorPropagator("stock").inject(failure, message)
print("on the wire:", message["error-chain"])

# In orders, which got the message from a queue:
received = ErrorPropagator("orders").extract(message)
try:
    raise RemoteError(received)
except RemoteError as error:
    ErrorPropagator("orders").propagate(error, operation="place")
    chain = error_chain(error)
    print("root cause:", chain.root_cause_code, "in", chain.root.service)
    print("services involved:", " → ".join(chain.services_involved))
    print("chain length:", chain.chain_length, "- worth another try:", chain.retryable)
