"""What tests of every kind share. That this file is here puts its folder on the import path: ``import servers``."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """Ctrl-C means the same to what tests start as on a terminal.

    A shell that starts pytest in the background has it ignored, and so would every process below.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def full_volume(tmp_path: Path) -> Iterator[Path]:
    """A real volume of 1 MiB, for tests of what happens when the space runs out."""
    folder = tmp_path / "full-volume"
    folder.mkdir()
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if mounted.returncode:
        pytest.skip(f"mounting a small volume is not permitted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
