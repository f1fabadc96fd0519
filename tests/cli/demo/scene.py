"""A shop that tells the truth, made up: the telemetry that a run must give, span by span."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

from otel_resilience.cli.demo.customer import Checkout, Phase, Visit
from otel_resilience.cli.demo.fault import DATABASE_LOST, Fault
from otel_resilience.cli.demo.plan import ExpectedChain, Plan
from otel_resilience.cli.demo.policies import read_policies
from otel_resilience.cli.demo.telemetry import LogRecord, Point, Span, SpanEvent, Telemetry
from otel_resilience.telemetry import names

_SECOND = 1_000_000_000
_STATE_CHANGED = "resilience.circuit_breaker.state_changed"
_ANSWERS = {"gateway": 502, "orders": 503, "ledger": 500}


def plan_of(fault: Fault = DATABASE_LOST) -> Plan:
    """What must come of ``fault`` under the shipped policies."""
    return Plan(fault=fault, policies=read_policies())


@dataclass
class Scene:
    """One whole run under ``plan``. Tests change what they like and let the story be told."""

    plan: Plan
    spans: list[Span] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    checkouts: list[Checkout] = field(default_factory=list)
    failing_after_opening: float = 0.5
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    _opening: str = ""

    def __post_init__(self) -> None:
        plan = self.plan
        for _ in range(plan.healthy.total):
            self._succeed(Phase.HEALTHY)
        for place in range(plan.failing.failures):
            self._fail(opening=plan.opens and place == plan.failing.failures - 1)
        for _ in range(plan.failing.rejections):
            self._reject()
        for place in range(plan.recovered.total):
            self._succeed(Phase.RECOVERED, probe=plan.opens and place == 0)
        self._measure()

    @property
    def visit(self) -> Visit:
        """What the customer saw."""
        return Visit(checkouts=tuple(self.checkouts), failing_after_opening=self.failing_after_opening)

    @property
    def telemetry(self) -> Telemetry:
        """What the services said."""
        telemetry = Telemetry()
        telemetry.add(spans=self.spans, logs=self.logs, points=self.points)
        return telemetry

    def change(self, wanted: Any, **changes: Any) -> None:
        """Replace each span for which ``wanted`` is true by one with ``changes``; there must be one."""
        found = [place for place, span in enumerate(self.spans) if wanted(span)]
        assert found
        for place in found:
            self.spans[place] = replace(self.spans[place], **changes)

    def _succeed(self, phase: Phase, *, probe: bool = False) -> None:
        visit = _Visit(self, phase, 200)
        orders = visit.call(visit.entry, "gateway", "orders", "orders")
        events = [self._event("open", "half_open"), self._event("half_open", "closed")] if probe else []
        payments = visit.call(orders, "orders", "payments", "payments", events=events)
        for _ in ("GET", "POST"):
            visit.call(payments, "payments", "ledger", "ledger")

    def _fail(self, *, opening: bool) -> None:
        chain = self.plan.failure_chain
        visit = _Visit(self, Phase.FAILING, 502 if len(chain.services) > 1 else 500, chain)
        if opening:
            self._opening = visit.trace_id
        span = visit.entry
        if "orders" in chain.services:
            span = visit.call(span, "gateway", "orders", "orders")
        if "payments" in chain.services:
            events = [self._event("closed", "open", self._opening)] if opening else []
            span = visit.call(span, "orders", "payments", "payments", events=events)
        if "ledger" in chain.services:
            visit.call(span, "payments", "ledger", "ledger", attempts=self.plan.attempts)
        visit.name_the_root()

    def _reject(self) -> None:
        visit = _Visit(self, Phase.FAILING, 502, self.plan.rejection_chain)
        orders = visit.call(visit.entry, "gateway", "orders", "orders")
        visit.guard(
            orders,
            "orders",
            "payments",
            {
                names.OUTCOME: "rejected",
                names.REJECTION_REASON: "circuit_open",
                names.BREAKER_STATE: "open",
                names.ATTEMPT_COUNT: 0,
                **self._cause(self._opening),
            },
        )
        visit.name_the_root()

    def _event(self, previous: str, state: str, opening: str = "") -> SpanEvent:
        attributes = {
            names.POLICY_NAME: "payments",
            names.BREAKER_PREVIOUS_STATE: previous,
            names.BREAKER_STATE: state,
            **(self._cause(opening) if opening else {}),
        }
        time = self.now()
        self.logs.append(
            LogRecord(
                service="orders",
                time=time,
                severity="INFO",
                event_name=_STATE_CHANGED,
                body=None,
                attributes=attributes,
            )
        )
        return SpanEvent(name=_STATE_CHANGED, time=time, attributes=attributes)

    def _cause(self, trace_id: str) -> dict[str, str]:
        return {
            names.CAUSE_SERVICE: self.plan.fault.service,
            names.CAUSE_CODE: self.plan.fault.code,
            names.CAUSE_TRACE_ID: trace_id,
        }

    def _measure(self) -> None:
        for service in ("gateway", "orders", "payments"):
            self._point(service, names.CONFIG_STATUS.name, 1, {names.CONFIG_STATE: "valid"})
        for outcome, count in self.plan.executions.items():
            # Two streams of one outcome are added.
            for kind, part in (("A", 1), ("B", count - 1)):
                labels = {names.OUTCOME: outcome, names.ERROR_TYPE: kind}
                self._point("orders", names.EXECUTIONS.name, part, labels | {names.POLICY_NAME: "payments"})
        for state, values in (
            ("closed", (1, 0, 1) if self.plan.opens else (1, 1, 1)),
            ("open", (0, 1, 0) if self.plan.opens else (0, 0, 0)),
            ("half_open", (0, 0, 0)),
        ):
            for value in values:
                labels = {names.BREAKER_STATE: state, names.POLICY_NAME: "payments"}
                self._point("orders", names.BREAKER_STATUS.name, value, labels)
        for previous, state in self.plan.transitions:
            labels = {names.BREAKER_STATE: state, names.BREAKER_PREVIOUS_STATE: previous}
            self._point("orders", names.BREAKER_TRANSITIONS.name, 1, labels)

    def _point(self, service: str, name: str, value: float, attributes: dict[str, str]) -> None:
        self.points.append(
            Point(service=service, name=name, time=self.now(), value=value, attributes=attributes)
        )

    def now(self) -> int:
        """A later time at each call, in Unix nanoseconds."""
        return 1_700_000_000 * _SECOND + next(self._numbers) * 1_000_000


class _Visit:
    """One checkout: the gateway's SERVER span, and what is below it."""

    def __init__(self, scene: Scene, phase: Phase, status: int, chain: ExpectedChain | None = None) -> None:
        self._scene = scene
        self._chain = chain
        self._first = len(scene.spans)
        number = 1 + sum(checkout.phase is phase for checkout in scene.checkouts)
        self._correlation_id = f"{phase}-{number}"
        self.trace_id = f"{next(scene._numbers):032x}"
        started = scene.now()
        self.entry = self._server(None, "gateway")
        scene.checkouts.append(
            Checkout(
                phase=phase,
                number=number,
                correlation_id=self._correlation_id,
                status=status,
                started=started,
                # Long enough for all that is yet to come below the entry.
                ended=self.entry.end,
            )
        )

    def call(
        self,
        parent: Span,
        caller: str,
        policy: str,
        called: str,
        *,
        attempts: int = 1,
        events: list[SpanEvent] | None = None,
    ) -> Span:
        """A guarded call; the SERVER span of its last attempt."""
        guard = self.guard(
            parent,
            caller,
            policy,
            {names.ATTEMPT_COUNT: attempts, names.OUTCOME: "success" if self._chain is None else "failure"},
            events or [],
        )
        server = guard
        for number in range(1, attempts + 1):
            resent = {names.HTTP_RESEND_COUNT: number - 1} if number > 1 else {}
            client = self._span(guard, caller, "POST", "CLIENT", {names.ATTEMPT_NUMBER: number, **resent})
            server = self._server(client, called)
        return server

    def guard(
        self,
        parent: Span,
        service: str,
        policy: str,
        attributes: dict[str, Any],
        events: list[SpanEvent] | None = None,
    ) -> Span:
        """The INTERNAL span of a guarded call."""
        return self._span(parent, service, f"execute {policy}", "INTERNAL", attributes, events or [])

    def name_the_root(self) -> None:
        """Put the root's span id, known last, on every span with a chain."""
        assert self._chain is not None
        spans = self._scene.spans
        mine = range(self._first, len(spans))
        root = [
            spans[n] for n in mine if (spans[n].service, spans[n].kind) == (self._chain.services[0], "SERVER")
        ]
        for place in mine:
            if names.ERROR_CODE in spans[place].attributes:
                spans[place] = replace(
                    spans[place],
                    attributes={**spans[place].attributes, names.ERROR_ROOT_SPAN_ID: root[-1].span_id},
                )

    def _server(self, parent: Span | None, service: str) -> Span:
        attributes: dict[str, Any] = {"http.request.method": "GET"}
        if self._chain is not None and service in self._chain.services:
            length = self._chain.services.index(service) + 1
            attributes |= {
                "http.response.status_code": _ANSWERS.get(service, 500),
                names.ERROR_CODE: self._chain.codes[length - 1],
                names.ERROR_ROOT_SERVICE: self._chain.services[0],
                names.ERROR_ROOT_CODE: self._chain.codes[0],
                names.ERROR_ROOT_TRACE_ID: self.trace_id,
                names.ERROR_CHAIN_SERVICES: list(self._chain.services[:length]),
                names.ERROR_CHAIN_CODES: list(self._chain.codes[:length]),
                names.ERROR_CHAIN_LENGTH: length,
                names.ERROR_RETRYABLE: self._chain.retryable,
            }
        return self._span(parent, service, f"at {service}", "SERVER", attributes)

    def _span(
        self,
        parent: Span | None,
        service: str,
        name: str,
        kind: str,
        attributes: dict[str, Any],
        events: list[SpanEvent] | None = None,
    ) -> Span:
        start = self._scene.now()
        span = Span(
            trace_id=self.trace_id,
            span_id=f"{next(self._scene._numbers):016x}",
            parent_id=None if parent is None else parent.span_id,
            service=service,
            name=name,
            kind=kind,
            start=start,
            end=start + 500_000,
            status="UNSET" if self._chain is None else "ERROR",
            attributes={names.CORRELATION_ID: self._correlation_id, **attributes},
            events=tuple(events or ()),
        )
        self._scene.spans.append(span)
        return span
