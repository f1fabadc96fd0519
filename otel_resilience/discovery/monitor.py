"""Which instances are checked, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from otel_resilience.discovery.health import Health
from otel_resilience.discovery.health_check import HealthCheck
from otel_resilience.discovery.service_info import InstanceKey, ServiceInfo

if TYPE_CHECKING:
    from otel_resilience.discovery.background import Job
    from otel_resilience.discovery.checking import Checking

#: How the registry hears of an answer: the checked instance, and what is wrong with it.
Hear = Callable[["Checked", str | None], None]
Submit = Callable[[Callable[[], Coroutine[Any, Any, None]]], "Job | None"]


class Checked:
    """One instance under one check."""

    __slots__ = ("check", "health", "job", "key")

    def __init__(self, key: InstanceKey, check: HealthCheck) -> None:
        self.key = key
        self.check = check
        self.health = Health(check.healthy_threshold, check.unhealthy_threshold)
        self.job: Job | None = None


class Monitor:
    """Not safe for threads by itself: the registry's lock guards it. Nothing here waits."""

    def __init__(self, submit: Submit, hear: Hear) -> None:
        self._submit = submit
        self._hear = hear
        self._checked: dict[str, dict[InstanceKey, Checked]] = {}
        self._checking: Checking | None = None

    def follow(self, service: str, instances: Iterable[ServiceInfo]) -> None:
        """Check these instances of ``service`` from now on, those of them that want it, and no others of it."""
        wanted = {info.key: info.health_check for info in instances if info.health_check is not None}
        known = self._checked.get(service, {})
        for key, checked in known.items():
            if wanted.get(key) != checked.check and checked.job is not None:
                checked.job.end()
        kept: dict[InstanceKey, Checked] = {}
        for key, check in wanted.items():
            before = known.get(key)
            # The same check of the same instance goes on with what is known of it.
            kept[key] = before if before is not None and before.check == check else Checked(key, check)
            if kept[key].job is None:
                self._begin(kept[key])
        if kept:
            self._checked[service] = kept
        else:
            self._checked.pop(service, None)

    def is_healthy(self, key: InstanceKey) -> bool:
        """Whether nothing speaks against the instance: an unchecked one is healthy."""
        checked = self._checked.get(key.service, {}).get(key)
        return checked is None or checked.health.healthy

    def learn(self, checked: Checked, wrong: str | None) -> bool:
        """Take an answer in; true if it changed the verdict. One of a check that was ended counts for nothing."""
        if self._checked.get(checked.key.service, {}).get(checked.key) is not checked:
            return False
        return checked.health.learn(wrong is None)

    def forget(self) -> None:
        """None of the checks runs in the child; each begins again when its service is followed."""
        self._checking = None
        for service in self._checked.values():
            for checked in service.values():
                checked.job = None

    def _begin(self, checked: Checked) -> None:
        if self._checking is None:
            from otel_resilience.discovery.checking import Checking  # brings the event loop along

            self._checking = Checking()
        checking, hear = self._checking, self._hear

        async def work() -> None:
            await checking.run(checked.key, checked.check, lambda wrong: hear(checked, wrong))

        checked.job = self._submit(work)
