"""A server of the cluster, as the process that starts it is told of it."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Daemon:
    """A program that serves until the cluster ends."""

    name: str
    command: list[str]
    listens: str = ""
    """Where it can be reached once it works: ``ADDRESS:PORT`` or a socket's path; the next one is started then."""
    environment: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def command(binary: Path, **options: object) -> list[str]:
    """A command line of long options: ``a_b=1`` becomes ``--a-b=1``."""
    return [str(binary), *(f"--{name.replace('_', '-')}={value}" for name, value in options.items())]
