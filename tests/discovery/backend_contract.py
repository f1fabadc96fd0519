"""What every store of instances must do: a store's test derives from it and says how one is made."""

from __future__ import annotations

import threading

import pytest

from otel_resilience.discovery.backends.backend import Backend
from otel_resilience.discovery.service_info import InstanceKey
from otel_resilience.testing import ManualClock
from tests.discovery.instances import info

KEY = InstanceKey("payments", "10.0.0.7", 8080)


class BackendContract:
    @pytest.fixture
    def backend(self) -> Backend:
        raise NotImplementedError

    @pytest.fixture
    def manual_clock(self) -> object:
        with ManualClock() as clock:
            yield clock

    def test_what_registered_is_read_in_its_order(self, backend: Backend) -> None:
        for port in (3, 1, 2):
            backend.register(info(port))
        assert [each.info.port for each in backend.instances("payments")] == [3, 1, 2]
        assert backend.services() == ("payments",)
        assert backend.instances("other") == ()

    def test_the_same_instance_again_keeps_its_place_and_says_something_new(self, backend: Backend) -> None:
        for port, version in ((1, "1"), (2, "1"), (1, "2")):
            backend.register(info(port, version=version))
        assert [(each.info.port, each.info.version) for each in backend.instances("payments")] == [
            (1, "2"),
            (2, "1"),
        ]

    def test_what_deregistered_is_gone(self, backend: Backend) -> None:
        backend.register(info())
        assert backend.deregister(KEY)
        assert not backend.deregister(KEY)
        assert backend.instances("payments") == ()
        assert backend.services() == ()
        assert not backend.renew(KEY)

    def test_a_lease_ends_and_a_renewal_makes_it_whole(
        self, backend: Backend, manual_clock: ManualClock
    ) -> None:
        backend.register(info(ttl=10.0))
        manual_clock.advance(9.0)
        assert backend.renew(KEY)
        manual_clock.advance(9.0)
        backend.expire()
        assert len(backend.instances("payments")) == 1
        manual_clock.advance(1.0)
        assert not backend.renew(KEY)
        backend.expire()
        assert backend.instances("payments") == ()

    def test_without_a_ttl_nothing_ends(self, backend: Backend, manual_clock: ManualClock) -> None:
        backend.register(info())
        manual_clock.advance(1e9)
        backend.expire()
        assert backend.renew(KEY)
        assert len(backend.instances("payments")) == 1

    def test_subscribers_hear_of_each_change_when_it_can_be_read(
        self, backend: Backend, manual_clock: ManualClock
    ) -> None:
        heard: list[tuple[str, int]] = []
        end = backend.subscribe(lambda name: heard.append((name, len(backend.instances(name)))))
        backend.register(info(1, ttl=10.0))
        backend.register(info(2))
        backend.renew(InstanceKey("payments", "10.0.0.7", 1))
        backend.deregister(InstanceKey("payments", "10.0.0.7", 2))
        manual_clock.advance(10.0)
        backend.expire()
        backend.expire()
        assert heard == [("payments", 1), ("payments", 2), ("payments", 1), ("payments", 0)]
        end()
        backend.register(info(3))
        assert len(heard) == 4

    def test_a_subscriber_may_change_something_itself(self, backend: Backend) -> None:
        def answer(name: str) -> None:
            if name == "payments":
                backend.register(info(name="audit"))

        backend.subscribe(answer)
        backend.register(info())
        assert set(backend.services()) == {"payments", "audit"}

    def test_no_registration_is_lost_under_threads(self, backend: Backend) -> None:
        def register(thread: int) -> None:
            for number in range(25):
                backend.register(info(1 + thread * 100 + number))
                if number % 2:
                    backend.deregister(InstanceKey("payments", "10.0.0.7", 1 + thread * 100 + number))

        threads = [threading.Thread(target=register, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(backend.instances("payments")) == 8 * 13
