"""Which endpoints are left out because calls to them keep failing: rules alone, with time as an argument.

An endpoint is ejected after ``THRESHOLD`` failures in a row, for ``EJECTION_SECONDS`` times the number of its
ejections, and never more than half of those that are there. What a call comes to counts only where its
endpoint was not ejected since the call began.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from otel_resilience.discovery.service_info import InstanceKey
from otel_resilience.outcome import Verdict

#: Failures in a row: fewer are what any endpoint has now and then.
THRESHOLD = 5
#: The first ejection; the second lasts twice as long, and so on.
EJECTION_SECONDS = 30.0
#: One ejection is forgotten for every so many seconds without another: who failed last week is no repeat offender.
FORGET_SECONDS = 300.0
#: Endpoints that are gone are forgotten when more of them are remembered: one that comes back is the same one.
REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Ejection:
    """``key`` is left out for ``seconds``, the ``times``-th time."""

    key: InstanceKey
    seconds: float
    times: int


@dataclass(slots=True)
class _Record:
    row: int = 0
    times: int = 0
    until: float = 0.0
    generation: int = 0


class Outliers:
    """The endpoints of one service. Not safe for threads: whoever owns it holds a lock."""

    def __init__(self) -> None:
        self._records: dict[InstanceKey, _Record] = {}
        self._latest_end = 0.0

    def generation(self, key: InstanceKey) -> int:
        """What a call to ``key`` that begins now is to be settled with."""
        record = self._records.get(key)
        return 0 if record is None else record.generation

    def ejected(self, present: Collection[InstanceKey], now: float) -> frozenset[InstanceKey]:
        """Those of ``present`` that are left out: at most half, even if others went away since."""
        if now >= self._latest_end:
            return frozenset()
        out = [key for key in present if self._is_out(key, now)]
        most = len(present) // 2
        if len(out) > most:
            out = sorted(out, key=lambda key: self._records[key].until, reverse=True)[:most]
        return frozenset(out)

    def settle(
        self,
        key: InstanceKey,
        generation: int,
        verdict: Verdict,
        present: Collection[InstanceKey],
        now: float,
    ) -> Ejection | None:
        """Learn what a call to ``key`` came to; ``present`` are the endpoints that are healthy now."""
        record = self._records.get(key)
        if verdict is Verdict.IGNORED or generation != (0 if record is None else record.generation):
            return None
        if verdict is Verdict.SUCCESS:
            if record is not None:
                record.row = 0
            return None
        if record is None:
            self._make_room(present, now)
            record = self._records[key] = _Record()
        record.row += 1
        if record.row < THRESHOLD or not self._has_room(key, present, now):
            return None
        return self._eject(key, record, now)

    def _eject(self, key: InstanceKey, record: _Record, now: float) -> Ejection:
        quiet = max(0.0, now - record.until)
        record.times = max(0, record.times - int(quiet / FORGET_SECONDS)) + 1
        seconds = EJECTION_SECONDS * record.times
        record.until = now + seconds
        record.generation += 1
        record.row = 0
        self._latest_end = max(self._latest_end, record.until)
        return Ejection(key, seconds, record.times)

    def _has_room(self, key: InstanceKey, present: Collection[InstanceKey], now: float) -> bool:
        if key not in present:
            return False  # its health check was faster: nobody calls it any more
        out = sum(self._is_out(each, now) for each in present if each != key)
        return out < len(present) // 2

    def _is_out(self, key: InstanceKey, now: float) -> bool:
        record = self._records.get(key)
        return record is not None and now < record.until

    def _make_room(self, present: Collection[InstanceKey], now: float) -> None:
        if len(self._records) < REMEMBERED + len(present):
            return
        self._records = {
            key: record for key, record in self._records.items() if key in present or now < record.until
        }
