"""A step of the trainer as a process of this machine: started, watched, stopped, answered."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Protocol

from pydantic import ValidationError

from finetune_core.contract import Failure, PrepareConfig, Progress, TrainerConfig, parse_progress, parse_stage
from finetune_core.contract.environment import CONFIG_VARIABLE, EXIT_TERMINATED, TERMINATION_VARIABLE
from finetune_core.errors import InvalidSpec, OutOfMemory, TrainerError

_TRAINER_NEEDS = ("boto3", "huggingface_hub", "jinja2", "peft", "pyarrow", "pygal", "torch", "transformers")
"""Of the extra ``trainer``: some of it people have for other reasons, so no single one tells."""


class Interrupted(Exception):
    """The person pressed Ctrl-C (or sent SIGTERM), and the step has stopped."""


class Display(Protocol):
    """What is told of a running step."""

    def stage(self, text: str) -> None:
        """What the step does now, in words."""

    def progress(self, progress: Progress) -> None:
        """A logged step."""


def require_trainer(what: str) -> None:
    """Refuse to begin, since ``what`` needs it, where the extra ``trainer`` is not installed, or not all of it.

    Raises:
        InvalidSpec: it is not.
    """
    if any(importlib.util.find_spec(name) is None for name in _TRAINER_NEEDS):
        raise InvalidSpec(f"{what} needs the trainer: pip install 'finetune-operator[trainer]'")


def run_step(name: str, config: PrepareConfig | TrainerConfig, display: Display) -> str:
    """Run ``prepare`` or ``train`` to its end and give its answer, a report as JSON.

    The step runs in a session of its own, so that Ctrl-C reaches this process alone, which then asks the step to stop
    and waits for it to store its state; a second Ctrl-C ends it at once.

    Raises:
        FinetuneError: the step's own failure.
        Interrupted: it was stopped.
    """
    log_path = _log_path(config)
    with TemporaryDirectory(prefix="ftj-") as folder, log_path.open("wb") as log:
        answer = Path(folder) / "answer.json"
        environment = os.environ | {CONFIG_VARIABLE: config.to_json(), TERMINATION_VARIABLE: str(answer)}
        process = subprocess.Popen(
            [sys.executable, "-m", "finetune_trainer.main", name],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        last = _watch(process, display)
        if process.returncode == EXIT_TERMINATED or last.interrupted:
            raise Interrupted(f"stopped at step {last.step}" if last.step else "stopped")
        text = answer.read_text(encoding="utf-8") if answer.exists() else ""
    if process.returncode == 0 and text:
        log_path.unlink(missing_ok=True)
        return text
    raise _failure(name, process.returncode, text, log_path)


class _Last:
    """What was last heard of a step."""

    step = 0
    interrupted = False


def _watch(process: "subprocess.Popen[str]", display: Display) -> _Last:
    """Pass on the step's lines until it ends."""
    last = _Last()

    def ask_to_stop(*_: object) -> None:
        if last.interrupted:
            process.kill()
            return
        last.interrupted = True
        display.stage("stopping after this step (Ctrl-C again: at once)")
        process.terminate()

    def listen(lines: IO[str]) -> None:
        for line in lines:
            if (progress := parse_progress(line)) is not None:
                last.step = progress.step
                display.progress(progress)
            elif (stage := parse_stage(line)) is not None:
                display.stage(stage)

    assert process.stdout is not None
    listener = threading.Thread(target=listen, args=(process.stdout,), daemon=True)
    previous = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        listener.start()
        process.wait()
        listener.join()
    finally:
        process.stdout.close()
        for number, handler in previous.items():
            signal.signal(number, handler)
    return last


def _failure(name: str, code: int, text: str, log_path: Path) -> Exception:
    """The failure that a step left behind; one that left none was killed, or is a defect."""
    try:
        failure = Failure.model_validate_json(text).as_error()
    except ValidationError:
        if code == -signal.SIGKILL:
            return OutOfMemory(f"the {name} step was killed, most likely because this machine ran out of memory")
        failure = TrainerError(f"the {name} step ended with {code}")
    if isinstance(failure, TrainerError):
        return TrainerError(f"{failure}; its log is {log_path}")
    log_path.unlink(missing_ok=True)
    return failure


def _log_path(config: PrepareConfig | TrainerConfig) -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "finetune-operator" / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{config.job_name}-{config.job_uid[:8]}-{os.getpid()}.log"
