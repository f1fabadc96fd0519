"""The verdict on an instance, played answer by answer."""

from __future__ import annotations

import itertools

import pytest

from otel_resilience.discovery.health import Health


@pytest.mark.parametrize(
    ("answers", "verdicts"),
    [
        ("+-+--+", "++++++"),  # flapping below the threshold changes nothing
        ("---", "++-"),
        ("---+", "++--"),
        ("---+-++", "++----+"),  # a single success does not bring it back
        ("---++---", "++--+++-"),
    ],
)
def test_a_row_of_answers(answers: str, verdicts: str) -> None:
    health = Health(healthy_threshold=2, unhealthy_threshold=3)
    seen = ""
    for answer in answers:
        before = health.healthy
        assert health.learn(answer == "+") == (health.healthy is not before)
        seen += "+" if health.healthy else "-"
    assert seen == verdicts


def test_every_row_of_eight_answers() -> None:
    for up, down in ((1, 1), (2, 3), (3, 2)):
        for answers in itertools.product((True, False), repeat=8):
            health = Health(up, down)
            for place, answer in enumerate(answers):
                before = health.healthy
                health.learn(answer)
                needed = down if before else up
                row = answers[max(0, place + 1 - needed) : place + 1]
                if health.healthy is not before:
                    assert row == (not before,) * needed
                elif len(row) == needed and row == (not before,) * needed:
                    # Enough in a row, yet no change: then the row had begun before the last change of verdict.
                    raise AssertionError((up, down, answers, place))
