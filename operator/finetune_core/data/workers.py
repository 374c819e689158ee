"""Work on chunks in several processes, results in order.

Each process is a new interpreter, and works until its input ends. Unlike with ``multiprocessing``, it imports nothing
of the program that started it (the trainer's would be torch), and threads of that program do not matter.
"""

import gc
import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from finetune_core.errors import OutOfMemory

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

MOST_PROCESSES = 4
"""One process reads and compares for all of them, and has no time for more."""


def available_processes() -> int:
    """How many are worth starting here."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MOST_PROCESSES)


class Workers(Generic[Chunk, Result]):
    """Processes that call ``worker`` with chunk after chunk; worker, chunks and results are pickled."""

    def __init__(self, count: int, worker: Callable[[Chunk], Result]) -> None:
        self._processes = [
            # A process of its own group leaves it to this one what Ctrl-C means.
            subprocess.Popen(
                [sys.executable, "-c", f"from {__name__} import work; work()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                process_group=0,
            )
            for _ in range(count)
        ]
        self._free: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        for process in self._processes:
            self._send(process, worker)
            self._free.put(process)
        # A thread waits for each process, which takes no time of this one.
        self._threads = ThreadPoolExecutor(count)

    def __enter__(self) -> "Workers[Chunk, Result]":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            with ExitStack() as closing:
                for stream in (process.stdin, process.stdout):
                    if stream:
                        closing.callback(_close, stream)
                process.wait()

    def map(self, chunks: Iterable[Chunk]) -> Iterator[Result]:
        """The result of each chunk, in order; a few chunks are under way at any time.

        Raises:
            OutOfMemory: a process was killed.
        """
        under_way: deque[Future[Result]] = deque()
        for chunk in chunks:
            under_way.append(self._threads.submit(self._work, chunk))
            if len(under_way) > 2 * len(self._processes):
                yield under_way.popleft().result()
        for future in under_way:
            yield future.result()

    def _work(self, chunk: Chunk) -> Result:
        process = self._free.get()
        self._send(process, chunk)
        assert process.stdout is not None
        try:
            result: Result | BaseException = pickle.load(process.stdout)
        except EOFError as error:
            raise _died(process) from error
        self._free.put(process)
        if isinstance(result, BaseException):
            raise result
        return result

    @staticmethod
    def _send(process: "subprocess.Popen[bytes]", value: object) -> None:
        assert process.stdin is not None
        try:
            pickle.dump(value, process.stdin, pickle.HIGHEST_PROTOCOL)
            process.stdin.flush()
        except BrokenPipeError as error:
            raise _died(process) from error


def _died(process: "subprocess.Popen[bytes]") -> Exception:
    code = process.wait()
    if code == -signal.SIGKILL:
        return OutOfMemory("a process that checks rows was killed, as happens where memory runs out: allow more memory")
    return RuntimeError(f"a process that checks rows ended with {code}")


def _close(stream: Any) -> None:
    with suppress(BrokenPipeError):  # what was left to send is nobody's any more
        stream.close()


def work() -> None:
    """What each process does."""
    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # what anything prints is no answer
    gc.disable()  # rows and what is seen in them hold no cycles; looking for some takes a twentieth of the time
    worker = pickle.load(asked)
    while True:
        try:
            chunk = pickle.load(asked)
        except EOFError:
            return
        result: Any
        try:
            result = worker(chunk)
        except Exception as error:  # it is the other side's to handle
            result = error
        pickle.dump(result, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()
