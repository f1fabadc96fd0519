"""The live policies of this process, by kind and name, for those who show their state.

Held weakly: being shown keeps nothing alive. Several of one kind and name are shown as one, which is said once.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections import defaultdict

from otel_resilience.forking import forget_after_fork

_log = logging.getLogger("otel_resilience")


class Inventory:
    """Policies by kind and name. Safe to use from any thread."""

    def __init__(self) -> None:
        # Guards the sets; nothing else happens under it. It may be taken again by who holds it: a signal handler, or what
        # the collector ends, may make or name a policy wherever its thread is.
        self._lock = threading.RLock()
        self._live: dict[tuple[str, str], weakref.WeakSet[object]] = defaultdict(weakref.WeakSet)
        self._warned: set[tuple[str, str]] = set()
        forget_after_fork(self)

    def forget(self) -> None:
        """Have a lock that nobody holds; the policies live on in a forked child, each as new."""
        self._lock = threading.RLock()

    def add(self, kind: str, name: str, policy: object, *, one_of_many: bool = False) -> None:
        """Show ``policy`` as the ``kind`` called ``name``; ``one_of_many``: it belongs to one that is shown already."""
        key = (kind, name)
        with self._lock:
            # Two threads may give one policy its name at once.
            alone = len(self._live[key]) == (policy in self._live[key])
            self._live[key].add(policy)
            warn = not alone and not one_of_many and key not in self._warned
            if warn:
                self._warned.add(key)
        if warn:
            _log.warning("several live policies are %s %r; telemetry shows them as one", kind, name)

    def expect_several(self, kind: str, name: str) -> None:
        """That several of one kind and name live is meant so, and nothing to warn of."""
        with self._lock:
            self._warned.add((kind, name))

    def live(self, kind: str) -> dict[str, list[object]]:
        """The live policies of a kind by name; names of policies that are gone keep an empty list."""
        with self._lock:
            return {name: list(known) for (this, name), known in list(self._live.items()) if this == kind}


POLICIES = Inventory()
