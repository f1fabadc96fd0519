"""Obtain Jaeger, Prometheus, Alertmanager and NATS for the backend tests: `python tools/backends/obtain.py`, which is `make backends`.

Programs that fit and are already on the PATH are linked; the others are built from their Go modules. All end in `.backends/bin/` of this
repository, and a second run does nothing. Exit status 1 and one clear message if something cannot be had.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from components import COMPONENTS, Component
from failures import UnobtainableError
from go_module import build, download
from toolchain import find_or_install_go

BACKENDS = Path(__file__).resolve().parents[2] / ".backends"


def obtain(component: Component, folder: Path) -> str:
    """Make the component's programs stand in `folder`/bin and return, in words, where they came from."""
    binaries, stamp = folder / "bin", folder / "built" / component.module.replace("/", "_")
    wanted = [binaries / program for program in component.programs]
    if all(program.is_symlink() and program.exists() for program in wanted):
        return "linked from the PATH, as before"
    # `exists` follows links: a link to a program that was uninstalled since is obtained again.
    if (
        all(program.exists() for program in wanted)
        and stamp.exists()
        and stamp.read_text() == component.pinned
    ):
        return "there already"
    binaries.mkdir(parents=True, exist_ok=True)
    on_path = fitting_on_path(component, binaries)
    if on_path is not None:
        for program, found in zip(wanted, on_path, strict=True):
            program.unlink(missing_ok=True)
            program.symlink_to(found)
        return f"linked from the PATH ({on_path[0].parent})"
    go = find_or_install_go()
    print(f"  {component.title}: building {component.pinned}, which takes minutes the first time", flush=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder) as unfinished:
        build(go, download(go, component.pinned), component.built_from, Path(unfinished))
        for program in wanted:
            (Path(unfinished) / program.name).replace(program)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(component.pinned)
    return f"built in {time.monotonic() - begun:.0f} s"


def fitting_on_path(component: Component, besides: Path) -> list[Path] | None:
    """The component's programs on the PATH, if all are there and fit; what lies in the folder `besides` does not count."""
    places = [place for place in os.get_exec_path() if Path(place).resolve() != besides.resolve()]
    found: list[Path] = []
    for name, fits in component.programs.items():
        program = shutil.which(name, path=os.pathsep.join(places))
        if program is None:
            return None
        if not fits(Path(program)):
            print(f"  {component.title}: {program} does not fit (too old, or parts are missing)", flush=True)
            return None
        found.append(Path(program).resolve())
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="obtain.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--into", type=Path, default=BACKENDS, help="folder to obtain into (default: .backends)"
    )
    folder: Path = parser.parse_args().into.resolve()
    print(f"Backends, in {folder / 'bin'}:", flush=True)
    for component in COMPONENTS:
        try:
            where_from = obtain(component, folder)
        except UnobtainableError as missing:
            print(f"{component.title} cannot be had: {missing}", file=sys.stderr)
            return 1
        print(f"  {component.title}: {where_from}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
