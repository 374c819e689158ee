"""Several processes of one training attempt on this node, one for each card.

A smaller ``torchrun``: it starts nothing a second time (a new attempt is the operator's to make), it passes SIGTERM on
and waits until the state is stored, and of several processes that fail it tells what the first one said.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from finetune_core.contract.environment import (
    EXIT_TERMINATED,
    NODE_RANK_VARIABLE,
    RENDEZVOUS_VARIABLE,
    TERMINATION_VARIABLE,
)

_ASK_EVERY_SECONDS = 0.05
_LAST_WORDS_SECONDS = 10
"""How long processes whose peer has failed may take to end."""


def is_one_of_several() -> bool:
    """Whether this process was started by ``run_processes``."""
    return "WORLD_SIZE" in os.environ


def run_processes(per_node: int, nodes: int, scratch: Path, answer: Path) -> int:
    """Run the train step in so many processes; the exit code, with the answer of the one that speaks for all."""
    node = int(os.environ.get(NODE_RANK_VARIABLE, "0"))
    host, _, port = os.environ.get(RENDEZVOUS_VARIABLE, f"127.0.0.1:{_free_port()}").rpartition(":")
    shared = {
        "WORLD_SIZE": str(per_node * nodes),
        "LOCAL_WORLD_SIZE": str(per_node),
        "MASTER_ADDR": host,
        "MASTER_PORT": port,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max(1, _processors() // per_node))),
    }
    answers = [scratch / f"answer-{local}" for local in range(per_node)]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "finetune_trainer.main", "train"],
            env=os.environ
            | shared
            | {"RANK": str(node * per_node + local), "LOCAL_RANK": str(local), TERMINATION_VARIABLE: str(path)},
        )
        for local, path in enumerate(answers)
    ]
    with _passing_on(signal.SIGTERM, started):
        first = _first_to_fail(started)
    if first is None:
        speaker = 0
    else:
        speaker = first
        _end(started)
    if answers[speaker].exists():
        answer.write_bytes(answers[speaker].read_bytes())
    code = started[speaker].returncode
    return code if code >= 0 else 128 - code


def _first_to_fail(started: list["subprocess.Popen[bytes]"]) -> int | None:
    """Wait for all; which one ended first with something else than success or the wish to go on later."""
    while True:
        codes = [process.poll() for process in started]
        for number, code in enumerate(codes):
            if code not in (None, 0, EXIT_TERMINATED):
                return number
        if None not in codes:
            return None
        time.sleep(_ASK_EVERY_SECONDS)


def _end(started: list["subprocess.Popen[bytes]"]) -> None:
    """The others cannot go on; most find out by themselves."""
    for process in started:
        process.terminate()
    deadline = time.monotonic() + _LAST_WORDS_SECONDS
    for process in started:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _passing_on(number: signal.Signals, started: list["subprocess.Popen[bytes]"]) -> Iterator[None]:
    def pass_on(*_: Any) -> None:
        for process in started:
            process.send_signal(number)

    before = signal.signal(number, pass_on)
    try:
        yield
    finally:
        signal.signal(number, before)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
