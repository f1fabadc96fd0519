"""Asks instances whether they are well, again and again, each within its time and not too many at once."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Awaitable, Callable

from otel_resilience import chance
from otel_resilience.discovery.health_check import HealthCheck
from otel_resilience.discovery.probes.answer import CannotProbeError, CannotProbeNowError, ProbeFailedError
from otel_resilience.discovery.probes.connection import Resolver
from otel_resilience.discovery.probes.grpc import probe_grpc
from otel_resilience.discovery.probes.http import probe_http
from otel_resilience.discovery.probes.tcp import probe_tcp
from otel_resilience.discovery.service_info import InstanceKey

#: Checks of one registry that are under way at a time.
MAX_CHECKS = 32
#: Intervals are lengthened or shortened by up to this share, else all processes would ask in step.
JITTER = 0.1
#: The first check comes within this share of an interval: soon, but not all of a start's registrations at once.
FIRST_WITHIN = 0.1

#: What this process lacks, which would else take all instances out at once.
_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = logging.getLogger("otel_resilience")

#: ``None`` where the instance is well, else what is wrong, in few words.
Report = Callable[[str | None], None]


class Checking:
    """What the checks of one registry share. Belongs to one event loop, and is made in it."""

    def __init__(self, most: int = MAX_CHECKS) -> None:
        self._turns = asyncio.Semaphore(most)
        self._resolver = Resolver()

    async def run(self, key: InstanceKey, check: HealthCheck, report: Report) -> None:
        """Check until cancelled, telling ``report`` of each answer."""
        await asyncio.sleep(check.interval * FIRST_WITHIN * chance.draw())
        while True:
            try:
                async with self._turns:
                    wrong = await self._ask(key, check)
            except CannotProbeNowError as error:
                _log.warning("%s at %s:%d could not be asked: %s", key.service, key.host, key.port, error)
            except CannotProbeError as error:
                _log.warning("%s at %s:%d is used unchecked: %s", key.service, key.host, key.port, error)
                return
            else:
                report(wrong)
            await asyncio.sleep(check.interval * (1 - JITTER + 2 * JITTER * chance.draw()))

    async def _ask(self, key: InstanceKey, check: HealthCheck) -> str | None:
        try:
            async with asyncio.timeout(check.timeout):
                await self._probe(key, check)
        except TimeoutError:
            return f"no answer within {check.timeout:g} s"
        except ProbeFailedError as error:
            return str(error)
        except OSError as error:
            if error.errno in _SHORTAGES:
                raise CannotProbeNowError(os.strerror(error.errno)) from None
            return os.strerror(error.errno) if error.errno and error.errno > 0 else type(error).__name__
        except (CannotProbeError, asyncio.CancelledError):
            raise
        except Exception as error:  # a check that ended here would leave the instance as it was found last
            return type(error).__name__
        return None

    def _probe(self, key: InstanceKey, check: HealthCheck) -> Awaitable[None]:
        if check.http is not None:
            return probe_http(self._resolver, key.host, key.port, check.http)
        if check.grpc is not None:
            return probe_grpc(key.host, key.port, check.grpc, check.timeout)
        return probe_tcp(self._resolver, key.host, key.port)
