"""Work in other processes: in order, with their errors, and with nothing left of them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from finetune_core.data.workers import Workers
from finetune_core.errors import OutOfMemory


def processes() -> set[str]:
    children = subprocess.run(["pgrep", "-P", str(os.getpid())], capture_output=True, text=True)
    return {line for line in children.stdout.split() if Path(f"/proc/{line}/cmdline").exists()}


def test_results_are_in_order_and_from_other_processes() -> None:
    with Workers[str, bytes](2, str.encode) as workers:
        assert list(workers.map(str(n) for n in range(100))) == [str(n).encode() for n in range(100)]
        assert list(workers.map(["甲" * 200_000] * 6)) == [("甲" * 200_000).encode()] * 6, "more than pipes hold"


def test_chunks_are_not_read_far_ahead() -> None:
    taken = []

    def chunks() -> Iterator[str]:
        for n in range(1000):
            taken.append(n)
            yield str(n)

    with Workers[str, bytes](2, str.encode) as workers:
        next(workers.map(chunks()))
    assert len(taken) < 10


def test_an_error_comes_out_where_its_result_would() -> None:
    with Workers[str, int](2, int) as workers:
        results = workers.map(["1", "2", "x", "4"])
        assert [next(results), next(results)] == [1, 2]
        with pytest.raises(ValueError, match="'x'"):
            next(results)


def test_a_killed_process_is_told_as_want_of_memory() -> None:
    with (
        Workers[int, None](1, signal.raise_signal) as workers,
        pytest.raises(OutOfMemory, match="allow more memory"),
    ):
        list(workers.map([int(signal.SIGKILL)]))


def test_nobody_waits_for_those_that_were_killed() -> None:
    with (
        Workers[int, None](2, signal.raise_signal) as workers,
        pytest.raises(OutOfMemory, match="allow more memory"),
    ):
        list(workers.map([int(signal.SIGKILL)] * 9))


def test_any_other_end_is_a_defect() -> None:
    with Workers[int, None](1, os._exit) as workers, pytest.raises(RuntimeError, match="ended with 3"):
        list(workers.map([3]))


class EndsAtOnce:
    """A worker that no process can unpack."""

    def __reduce__(self) -> object:
        return os._exit, (4,)

    def __call__(self, chunk: int) -> int:
        return chunk


def test_one_that_cannot_begin_is_told_and_not_waited_for() -> None:
    with Workers[int, int](2, EndsAtOnce()) as workers, pytest.raises(RuntimeError, match="ended with 4"):
        list(workers.map(range(9)))


def test_nothing_is_left_however_it_ends() -> None:
    before = processes()
    with Workers[str, bytes](2, str.encode) as workers:
        results = workers.map(str(n) for n in range(100))
        next(results)
        assert len(processes() - before) >= 2
    assert processes() <= before


def test_they_end_with_the_program_that_started_them() -> None:
    code = (
        "from finetune_core.data.workers import Workers\n"
        "import os\n"
        "workers = Workers(1, str.encode)\n"
        "print(workers._processes[0].pid, flush=True)\n"
        "os._exit(0)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    pid = int(said.stdout)
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            return
        signal.sigtimedwait([], 0.05)
    raise AssertionError(f"process {pid} is still there")
