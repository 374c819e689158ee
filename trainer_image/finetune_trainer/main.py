"""``finetune-trainer prepare`` and ``finetune-trainer train``: config in by environment, answer out by a file."""

import os
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from pydantic import ValidationError

from finetune_core.contract import Failure, PrepareConfig, TrainerConfig
from finetune_core.contract.environment import (
    CONFIG_VARIABLE,
    EXIT_FAILED,
    EXIT_TERMINATED,
    TERMINATION_BYTES,
    TERMINATION_DEFAULT,
    TERMINATION_VARIABLE,
)
from finetune_core.errors import FinetuneError, InvalidSpec, OutOfMemory, TrainerError, first_line
from finetune_trainer.processes import is_one_of_several, run_processes

_FOR_A_SHARED_MACHINE = {
    # Idle OpenMP threads sleep instead of spinning: beside another busy process a CPU step is then twice as fast.
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Environment of a step, where nobody has set it otherwise; torch reads it when it is imported, which is later."""

_ALLOCATOR = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
"""The settings of torch's allocator: today's name of the variable, and the older one, which is read first."""
_EXPANDABLE = "expandable_segments:True"
"""Segments that grow: rows of many lengths leave gaps between fixed ones, which took as much of an H100 again as the
tensors themselves (11.71 GiB for 6.15; 6.90 with this: benchmarks/memory/h100.md). Without a card it says nothing."""

_DISK_FULL = ("No space left on device", "file write failed")
"""How Python, safetensors and torch.save say that a disk is full."""


def main() -> None:
    """Run one step and exit: 0 done, 1 failed, 143 stopped and resumable."""
    for name, value in _FOR_A_SHARED_MACHINE.items():
        os.environ.setdefault(name, value)
    if not any(name in os.environ for name in _ALLOCATOR):
        os.environ[_ALLOCATOR[0]] = _EXPANDABLE
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))  # training has a handler of its own
    try:
        answer = _run(sys.argv[1:])
    except FinetuneError as error:
        _fail(error)
    except MemoryError as error:
        _fail(OutOfMemory(f"the machine ran out of memory: {error}"))
    except Exception as error:
        import traceback

        traceback.print_exc()  # a defect, not a user's mistake: the log needs it
        _fail(_unexpected(error))
    if answer is None:
        sys.exit(EXIT_TERMINATED)
    _answer(answer)


def _run(arguments: list[str]) -> str | None:
    """JSON of the step's report; None when it was stopped by SIGTERM."""
    config = os.environ.get(CONFIG_VARIABLE)
    if config is None:
        raise InvalidSpec(f"the environment variable {CONFIG_VARIABLE} is not set")
    try:
        with TemporaryDirectory(prefix="finetune-") as scratch:
            match arguments:
                case ["prepare"]:
                    from finetune_trainer.prepare import prepare

                    return prepare(PrepareConfig.model_validate_json(config), Path(scratch)).to_json()
                case ["train"]:
                    told = TrainerConfig.model_validate_json(config)
                    gpu = told.plan.gpu
                    if gpu.per_node * gpu.nodes > 1 and not is_one_of_several():
                        sys.exit(run_processes(gpu.per_node, gpu.nodes, Path(scratch), _answer_path()))
                    from finetune_trainer.train import train

                    report = train(told, Path(scratch))
                    return report and report.answer()
    except ValidationError as error:
        raise InvalidSpec(f"{CONFIG_VARIABLE}: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}") from error
    raise InvalidSpec("write finetune-trainer prepare, or finetune-trainer train")


def _unexpected(error: Exception) -> FinetuneError:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return OutOfMemory(f"the GPU ran out of memory: {first_line(error)}")
    if any(mark in str(error) for mark in _DISK_FULL):
        return TrainerError(f"no space left on a disk: free some, or point TMPDIR ({gettempdir()}) at a larger one")
    if isinstance(error, OSError) and error.filename:
        return TrainerError(f"{error.filename}: {error.strerror}")
    return TrainerError(f"{type(error).__name__}: {first_line(error)}")


def _fail(error: FinetuneError) -> None:
    message = str(error)
    print(f"{error.reason}: {message}", file=sys.stderr)
    while len(encoded := Failure(reason=error.reason, message=message).to_json().encode()) > TERMINATION_BYTES:
        message = message[: len(message) - max(1, len(encoded) - TERMINATION_BYTES)]
    _answer(encoded.decode())
    sys.exit(EXIT_FAILED)


def _answer(text: str) -> None:
    path = _answer_path()
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"the answer could not be written to {path}: {error.strerror}", file=sys.stderr)
        sys.exit(EXIT_FAILED)


def _answer_path() -> Path:
    return Path(os.environ.get(TERMINATION_VARIABLE, TERMINATION_DEFAULT))


if __name__ == "__main__":
    main()
