"""Whether what happened is what must happen: pure functions from a plan and a story to checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from otel_resilience.cli.demo.check import Check
from otel_resilience.cli.demo.customer import Phase
from otel_resilience.cli.demo.expected_traces import check_failure, check_rejection, check_success
from otel_resilience.cli.demo.fault import WAY
from otel_resilience.cli.demo.plan import GUARD, GUARDED, Plan
from otel_resilience.cli.demo.story import Episode, Result, Story
from otel_resilience.telemetry import names


def check(plan: Plan, story: Story) -> list[Check]:
    """Everything that must hold of ``story`` under ``plan``."""
    return [*_phases(plan, story), *_traces(plan, story), *_breaker(plan, story), *_metrics(plan, story)]


def _phases(plan: Plan, story: Story) -> Iterator[Check]:
    for phase, wanted in zip(Phase, (plan.healthy, plan.failing, plan.recovered), strict=True):
        yield Check(what=f"checkouts of the {phase} phase", wanted=wanted, seen=story.counts(phase))
    if plan.opens:
        limit, took = plan.policies.recovery_timeout, story.visit.failing_after_opening
        yield Check(
            what=f"the failing phase ends before the recovery_timeout of {limit:g} s (it took {took:.1f} s: "
            "a longer one means a machine under heavy load)",
            wanted=True,
            seen=took < limit,
        )


def _traces(plan: Plan, story: Story) -> Iterator[Check]:
    opening = _opening_trace(plan, story)
    for episode in story.episodes:
        name = episode.checkout.correlation_id
        yield Check(where=name, what="there is a trace", wanted=True, seen=episode.trace is not None)
        if episode.trace is None or episode.entry is None:
            continue
        match episode.result:
            case Result.SUCCESS:
                checks = check_success(episode.trace)
            case Result.REJECTION:
                checks = check_rejection(plan, episode.trace, episode.entry, opening)
            case Result.FAILURE:
                checks = check_failure(plan, episode.trace, episode.entry)
        for each in (*checks, _correlated(episode)):
            yield replace(each, where=name)


def _correlated(episode: Episode) -> Check:
    spans = () if episode.trace is None else episode.trace.spans
    return Check(
        what="correlation ids on its spans",
        wanted={episode.checkout.correlation_id},
        seen={span.attributes.get(names.CORRELATION_ID) for span in spans},
    )


def _breaker(plan: Plan, story: Story) -> Iterator[Check]:
    seen = tuple((transition.previous, transition.state) for transition in story.transitions)
    yield Check(what="transitions of the breaker", wanted=plan.transitions, seen=seen)
    yield Check(
        what="transitions told by log records and by span events",
        wanted=[(each.service, each.policy, each.previous, each.state) for each in story.transitions],
        seen=[(each.service, each.policy, each.previous, each.state) for each in story.logged],
    )
    yield Check(
        what="whose breaker it is",
        wanted={(GUARD, GUARDED)} if plan.opens else set(),
        seen={(each.service, each.policy) for each in story.transitions},
    )
    for each in story.transitions:
        if (each.previous, each.state) == ("closed", "open"):
            yield Check(
                what="what opened the circuit",
                wanted=(plan.fault.service, plan.fault.code, _opening_trace(plan, story)),
                seen=(each.cause_service, each.cause_code, each.cause_trace_id),
            )


def _opening_trace(plan: Plan, story: Story) -> str | None:
    """The trace of the checkout that must have opened the circuit: the one that reached the threshold."""
    failures = story.of(Phase.FAILING, Result.FAILURE)
    place = plan.failing.failures - 1
    if not plan.opens or len(failures) <= place:
        return None
    trace = failures[place].trace
    return None if trace is None else trace.trace_id


def _metrics(plan: Plan, story: Story) -> Iterator[Check]:
    for service in WAY[:-1]:
        yield Check(
            what=f"{service}: its policy file is valid ({names.CONFIG_STATUS.name})",
            wanted=1,
            seen=_last(story, service, names.CONFIG_STATUS.name, {names.CONFIG_STATE: "valid"}),
        )
    of_payments = {names.POLICY_NAME: GUARDED}
    yield Check(
        what=f"{GUARD}: {names.EXECUTIONS.name} of {GUARDED} by outcome",
        wanted=plan.executions,
        seen=_executions(story),
    )
    yield Check(
        what=f"{GUARD}: {names.BREAKER_STATUS.name} was 1 for open at some time",
        wanted=plan.opens,
        seen=_was_open(story),
    )
    for state, wanted in (("closed", 1), ("open", 0), ("half_open", 0)):
        yield Check(
            what=f"{GUARD}: {names.BREAKER_STATUS.name} for {state} at the end",
            wanted=wanted,
            seen=_last(story, GUARD, names.BREAKER_STATUS.name, of_payments | {names.BREAKER_STATE: state}),
        )
    yield Check(
        what=f"{GUARD}: {names.BREAKER_TRANSITIONS.name} in all",
        wanted=len(plan.transitions),
        seen=sum(stream[-1] for stream in story.streams(GUARD, names.BREAKER_TRANSITIONS.name).values()),
    )


def _last(story: Story, service: str, metric: str, attributes: dict[str, str]) -> float | None:
    for stream, values in story.streams(service, metric).items():
        if attributes.items() <= dict(stream).items():
            return values[-1]
    return None


def _executions(story: Story) -> dict[str, int]:
    counts: dict[str, int] = {}
    for stream, values in story.streams(GUARD, names.EXECUTIONS.name).items():
        attributes = dict(stream)
        if attributes.get(names.POLICY_NAME) == GUARDED and values[-1]:
            outcome = str(attributes.get(names.OUTCOME))
            counts[outcome] = counts.get(outcome, 0) + int(values[-1])
    return counts


def _was_open(story: Story) -> bool:
    return any(
        dict(stream).get(names.BREAKER_STATE) == "open" and 1 in values
        for stream, values in story.streams(GUARD, names.BREAKER_STATUS.name).items()
    )
