"""``python -m e2e.cluster up|down|status|check``."""

import argparse
import subprocess
import sys

from e2e.cluster.life import CannotRun, check, down, status, up
from e2e.images import ImageError
from go_binaries import GoMissing


def main() -> None:
    """Do what is asked; 1 where it cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m e2e.cluster", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "status", "check"))
    command = parser.parse_args().command
    try:
        if command == "up":
            up(say)
        elif command == "down":
            down()
        elif command == "check":
            check(say)
            return
    except (CannotRun, ImageError, GoMissing, subprocess.CalledProcessError) as error:
        sys.exit(str(error))
    print(status())


def say(line: str) -> None:
    """Tell the person at once."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
