"""Which service fails in the demo, and with which code."""

from __future__ import annotations

from dataclasses import dataclass

from otel_resilience.exceptions import is_code

#: The services in the order in which a checkout goes through them.
WAY = ("gateway", "orders", "payments", "ledger")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """``told``: the service raises an exception with that code because it was told to; else its database is taken away."""

    service: str
    code: str
    told: bool

    def __str__(self) -> str:
        if self.told:
            return f"{self.service} raises an error with the code {self.code}"
        return "the ledger's database file is taken away"


#: What fails when nothing else is asked for: nobody scripted this error, SQLite raises it.
DATABASE_LOST = Fault(service="ledger", code="DB_UNAVAILABLE", told=False)


def read_fault(text: str) -> Fault:
    """``SERVICE=CODE`` as a fault. Raises ``ValueError`` that says what is wrong with it."""
    service, equals, code = text.partition("=")
    if not equals:
        raise ValueError(f"must be SERVICE=CODE, such as payments=CARD_DECLINED, got {text!r}")
    if service not in WAY:
        raise ValueError(f"SERVICE must be one of {', '.join(WAY)}, got {service!r}")
    if not is_code(code):
        raise ValueError(f"CODE must be UPPER_SNAKE of at most 63 characters, got {code!r}")
    return Fault(service=service, code=code, told=True)
