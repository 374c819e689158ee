"""``ftj`` as a person runs it: a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from jobs import JOB

FTJ = Path(sys.executable).with_name("ftj")


def ftj(folder: Path, *arguments: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run it in a folder that is its home as well, without the hub."""
    return subprocess.run(
        [FTJ, *map(str, arguments)],
        cwd=folder,
        env=os.environ
        | {
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "HF_HUB_OFFLINE": "1",
            "COLUMNS": "160",
        }
        | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def refusal(folder: Path, code: int, *arguments: object, **environment: str) -> str:
    """The one line on standard error that it ends with; nothing else is printed anywhere."""
    ended = ftj(folder, *arguments, **environment)
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert (ended.returncode, len(lines)) == (code, 1), ended.stderr
    assert lines[0].startswith("ftj: ")
    return lines[0].removeprefix("ftj: ")


def write_job(folder: Path, text: str = JOB) -> Path:
    """A job file in the folder."""
    path = folder / "job.yaml"
    path.write_text(text, encoding="utf-8")
    return path
