"""Finding Go, or installing it, or saying clearly what is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from components import said_by
from failures import UnobtainableError

# Since 1.21 `go` itself fetches the newer toolchain that a module asks for.
OLDEST_GO = (1, 21)
APT_PACKAGE = "golang-go"
USUAL_PLACES = (
    "/usr/local/go/bin",
    "/usr/lib/go/bin",
    "/usr/lib/go-*/bin",
    "/opt/homebrew/bin",
    "/snap/bin",
    "~/go/bin",
    "~/.local/go/bin",
    "~/sdk/go*/bin",
)


def find_or_install_go() -> Path:
    """A `go` of at least 1.21: from the PATH, from the usual places, or, as root, from the distribution.

    Raises `UnobtainableError` that names the package and the version if there is none.
    """
    go = _found()
    if go is None and _installed_by_apt():
        go = _found()
    if go is None:
        oldest = ".".join(map(str, OLDEST_GO))
        raise UnobtainableError(
            f"Go {oldest} or newer is needed to build the backends, and none was found on the PATH or in the usual places.\n"
            f"  Install it (Debian, Ubuntu: the package {APT_PACKAGE} where it is at least {oldest}; anywhere: https://go.dev/dl/),\n"
            "  or put jaeger 2, prometheus 3, promtool, alertmanager, amtool and nats-server on the PATH; then run this again."
        )
    return go


def _found() -> Path | None:
    on_path = shutil.which("go")
    candidates = [Path(on_path)] if on_path else []
    for place in USUAL_PLACES:
        folder = Path(place).expanduser()
        candidates += sorted(
            Path(folder.anchor).glob(f"{folder.relative_to(folder.anchor)}/go"), reverse=True
        )
    return next((go for go in candidates if _version(said_by(go, "version")) >= OLDEST_GO), None)


def _version(text: str) -> tuple[int, int]:
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _installed_by_apt() -> bool:
    apt, policy = shutil.which("apt-get"), shutil.which("apt-cache")
    if apt is None or policy is None or os.geteuid() != 0:
        return False
    subprocess.run([apt, "update", "-qq"], check=False)
    candidate = re.search(r"Candidate: (\S+)", said_by(Path(policy), "policy", APT_PACKAGE))
    # A Debian version may start with an epoch: "2:1.19~1".
    offered = candidate[1].rpartition(":")[2] if candidate else "none"
    if _version(offered) < OLDEST_GO:
        print(f"The package {APT_PACKAGE} of this distribution is too old ({offered}).", flush=True)
        return False
    print(f"Go is missing: installing the package {APT_PACKAGE} ({offered}).", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = [apt, "install", "-y", "-qq", "--no-install-recommends", APT_PACKAGE, "ca-certificates"]
    return subprocess.run(command, env=environment, check=False).returncode == 0
