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
from typing import Any, BinaryIO, Generic, TypeVar

from finetune_core.errors import OutOfMemory

_SIZE_BYTES = 8

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
        packed = _packed(worker)
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
        # A thread waits for each process, which takes no time of this one.
        self._threads = ThreadPoolExecutor(count)
        for process in self._processes:
            self._threads.submit(self._start, process, packed)

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
        under_way: deque[Future[bytes]] = deque()
        for chunk in chunks:
            under_way.append(self._threads.submit(self._work, chunk))
            if len(under_way) > 2 * len(self._processes):
                yield self._result(under_way.popleft())
        for future in under_way:
            yield self._result(future)

    def _start(self, process: "subprocess.Popen[bytes]", packed_worker: bytes) -> None:
        try:
            _send(process, packed_worker)
        finally:
            self._free.put(process)

    def _work(self, chunk: Chunk) -> bytes:
        process = self._free.get()
        try:
            _send(process, _packed(chunk))
            assert process.stdout is not None
            size = int.from_bytes(process.stdout.read(_SIZE_BYTES), "little")
            packed = process.stdout.read(size)
            if not size or len(packed) < size:
                raise _died(process)
            return packed
        finally:
            self._free.put(process)  # a dead one too: a thread that waited for it would wait for ever

    @staticmethod
    def _result(future: "Future[bytes]") -> Result:
        # Those that wait for their turn stay packed: tokens take a ninth of the memory so.
        result: Result | BaseException = pickle.loads(future.result())
        if isinstance(result, BaseException):
            raise result
        return result


def _packed(value: object) -> bytes:
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def _send(process: "subprocess.Popen[bytes]", packed: bytes) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(packed)
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
    gc.disable()  # looking for cycles while rows come and go takes a twentieth of the time
    with suppress(EOFError):
        worker = pickle.load(asked)
        gc.freeze()
        while True:
            packed = _answer(worker, asked)
            answers.write(len(packed).to_bytes(_SIZE_BYTES, "little"))
            answers.write(packed)
            answers.flush()
            gc.collect()  # chat templates that refuse rows leave some; now it is quick, for there is little else


def _answer(worker: Callable[[Any], Any], asked: BinaryIO) -> bytes:
    chunk = pickle.load(asked)
    try:
        return _packed(worker(chunk))
    except Exception as error:  # it is the other side's to handle
        return _packed(error)
