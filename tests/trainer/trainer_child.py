"""Runs in the forked process of a step, so it imports nothing but the standard library."""

import os
import sys


def run_step(name: str, environment: dict[str, str], stdout: str, stderr: str) -> None:
    """What ``python -m finetune_trainer.main NAME`` does, with the imports already done."""
    for path, descriptor in ((os.devnull, 0), (stdout, 1), (stderr, 2)):
        opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.environ.update(environment)
    sys.argv = ["finetune-trainer", name]
    from finetune_trainer.main import main

    main()
