"""A virtual environment that has what this one has, but for some distributions. Nothing is downloaded or copied."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path


def lean_environment(folder: Path, *, without: Iterable[str]) -> Path:
    """Make it in ``folder`` out of symbolic links to the packages of this one; its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (target,) = folder.glob("lib/python*/site-packages")
    left_out = {
        Path(str(distribution(name).locate_file(file))).resolve()
        for name in without
        for file in distribution(name).files or ()
    }
    _link(Path(sysconfig.get_path("purelib")).resolve(), target, left_out)
    return folder / "bin" / "python"


def _link(source: Path, target: Path, left_out: set[Path]) -> None:
    folders = {folder for file in left_out for folder in file.parents}
    for entry in source.iterdir():
        if entry in folders:
            _link(entry, target / entry.name, left_out)
        elif entry not in left_out and entry.name != "__pycache__":
            # Made only now: an empty folder would be found as a package.
            target.mkdir(exist_ok=True)
            (target / entry.name).symlink_to(entry)
