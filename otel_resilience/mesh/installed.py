"""The mesh by which instrumented clients route, if the application has installed one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_resilience.mesh.mesh import ServiceMesh

_installed: ServiceMesh | None = None


def installed() -> ServiceMesh | None:
    """The mesh that was installed last, and not closed since."""
    return _installed


def install(mesh: ServiceMesh) -> None:
    """Route by ``mesh``, in place of the one before."""
    global _installed
    _installed = mesh


def uninstall(mesh: ServiceMesh) -> None:
    """Route by ``mesh`` no more; nothing happens where another one was installed since."""
    global _installed
    if _installed is mesh:
        _installed = None
