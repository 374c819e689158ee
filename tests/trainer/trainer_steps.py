"""Steps of the trainer as processes: started, watched, signalled, and what they left behind."""

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

import pytest
import trainer_child

from finetune_cli.job_file import place_of
from finetune_cli.run import job_uid
from finetune_core.api import FineTuneJob
from finetune_core.contract import (
    Failure,
    Manifest,
    PrepareConfig,
    PrepareReport,
    Progress,
    RunReport,
    TrainerConfig,
    build,
    parse_progress,
)
from finetune_core.contract.environment import CONFIG_VARIABLE, EXIT_FAILED, TERMINATION_BYTES, TERMINATION_VARIABLE
from finetune_core.planning import find_gpu, plan

StepName = Literal["prepare", "train"]

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",  # the number of threads decides the order of sums; one is also fastest for a tiny model
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # only a process of one thread forks safely
    "TOKENIZERS_PARALLELISM": "false",
}
PRELOADED = ["finetune_trainer.main", "finetune_trainer.prepare", "finetune_trainer.train"]
DEADLINE_SECONDS = 120.0

_forks = multiprocessing.get_context("forkserver")


def start_fork_server() -> None:
    """Import torch and the trainer once, in a process that every later step is forked from."""
    _forks.set_forkserver_preload(PRELOADED)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        first = _forks.Process(target=os.getpid)
        first.start()
    first.join(DEADLINE_SECONDS)
    assert first.exitcode == 0, "the fork server did not start"


@dataclass(frozen=True)
class Ended:
    """A step that has ended."""

    code: int
    """Exit code; minus the signal's number if one killed it."""
    answer: str
    stdout: str
    stderr: str

    @property
    def progress(self) -> list[Progress]:
        """Its progress lines."""
        return [progress for line in self.stdout.splitlines() if (progress := parse_progress(line)) is not None]

    @property
    def failure(self) -> Failure:
        """Why it failed; fails itself if the step did not."""
        assert self.code == EXIT_FAILED, (self.code, self.answer, self.stderr)
        return Failure.model_validate_json(self.answer)

    @property
    def good_answer(self) -> str:
        """What it answered; fails if it did not end well."""
        assert self.code == 0, (self.code, self.answer, self.stderr)
        return self.answer


class Step:
    """A step under way."""

    def __init__(self, name: StepName, config: str, folder: Path, *, fresh: bool = False) -> None:
        """``fresh``: a new interpreter, as users start it; otherwise a fork of one that has imported everything."""
        folder.mkdir(parents=True)
        self._folder = folder
        environment = {CONFIG_VARIABLE: config, TERMINATION_VARIABLE: str(folder / "answer")}
        stdout, stderr = folder / "stdout", folder / "stderr"
        if fresh:
            with stdout.open("w") as out, stderr.open("w") as err:
                self._process: subprocess.Popen[bytes] | BaseProcess = subprocess.Popen(
                    [sys.executable, "-m", "finetune_trainer.main", name],
                    env=os.environ | ENVIRONMENT | environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                )
        else:
            self._process = _forks.Process(
                target=trainer_child.run_step, args=(name, environment, str(stdout), str(stderr))
            )
            self._process.start()

    @property
    def printed(self) -> str:
        """Its standard output so far."""
        path = self._folder / "stdout"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def signal_when(self, condition: Callable[[], bool], number: signal.Signals) -> "Ended":
        """Send a signal as soon as the condition holds, then wait for the end."""
        os.kill(self._process_when(condition), number)
        return self.end()

    def kill_a_child_when(self, condition: Callable[[], bool]) -> "Ended":
        """Kill one of the processes that it has started as soon as the condition holds, then wait for the end."""
        self._process_when(condition)
        os.kill(self.children[-1], signal.SIGKILL)
        return self.end()

    @property
    def children(self) -> list[int]:
        """The processes that it has started."""
        pid = self._process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def _process_when(self, condition: Callable[[], bool]) -> int:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            assert self._running, (self.printed, "it ended before the signal")
            assert time.monotonic() < deadline, (self.printed, "it never came so far")
            time.sleep(0.005)
        assert self._process.pid is not None
        return self._process.pid

    def end(self) -> Ended:
        """Wait for the end."""
        if isinstance(self._process, BaseProcess):
            self._process.join(DEADLINE_SECONDS)
            code = self._process.exitcode
            if code is None:
                self._process.kill()
        else:
            code = self._process.wait(DEADLINE_SECONDS)
        assert code is not None, (self.printed, "did not end")
        answer, stderr = self._folder / "answer", self._folder / "stderr"
        return Ended(
            code=code,
            answer=answer.read_text(encoding="utf-8") if answer.exists() else "",
            stdout=self.printed,
            stderr=stderr.read_text(encoding="utf-8", errors="replace") if stderr.exists() else "",
        )

    @property
    def _running(self) -> bool:
        if isinstance(self._process, BaseProcess):
            return self._process.is_alive()
        return self._process.poll() is None


@dataclass(frozen=True)
class Run:
    """A training step that has ended, and its place."""

    config: TrainerConfig
    output: Path
    ended: Ended

    @cached_property
    def report(self) -> RunReport:
        """Its answer."""
        return RunReport.model_validate_json(self.ended.good_answer)

    @property
    def artifact(self) -> Path:
        """Folder of the exported adapter, or of the model where there is none."""
        return self.output / ("adapter" if self.config.leaves_adapter else "model")

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """``metrics.jsonl`` without what a clock or the machine decides."""
        lines = (self.output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        unsteady = {"time", "tokens_per_second", "peak_memory_bytes"}
        return [{key: value for key, value in json.loads(line).items() if key not in unsteady} for line in lines]

    @property
    def losses(self) -> list[float]:
        """The training loss, line by line."""
        return [line["loss"] for line in self.metrics if "loss" in line]

    @property
    def weights_digest(self) -> str:
        """SHA-256 of the exported weights."""
        name = "adapter_model.safetensors" if self.config.leaves_adapter else "model.safetensors"
        return hashlib.sha256((self.artifact / name).read_bytes()).hexdigest()

    @property
    def checkpoints(self) -> list[int]:
        """Steps of the complete checkpoints that lie there."""
        return complete_checkpoints(self.config)


class Bench:
    """Jobs on the tiny model, and the steps of each, as ``ftj run`` takes them."""

    def __init__(self, model: Path, data: Path, validation: Path, folder: Path) -> None:
        self.model, self.data, self.validation, self._folder = model, data, validation, folder
        self._steps = 0

    def job(
        self,
        output: Path,
        *,
        model: Path | None = None,
        data: Path | None = None,
        validation: Path | float | None = None,
        dataset: dict[str, Any] | None = None,
        overwrite: bool = False,
        output_fields: dict[str, Any] | None = None,
        **spec: Any,
    ) -> FineTuneJob:
        """A job on the processor; ``validation`` is a file or a share of the rows, ``spec`` the rest of the job."""
        validation = validation if validation is not None else self.validation
        held_out = {"fraction": validation} if isinstance(validation, float) else {"uri": validation.as_uri()}
        common = {
            "model": {"uri": (model or self.model).as_uri()},
            "dataset": {"uri": (data or self.data).as_uri(), "validation": held_out} | (dataset or {}),
            "gpu": {"type": "cpu"},
            "output": {"uri": output.as_uri(), "overwrite": overwrite} | (output_fields or {}),
        }
        return FineTuneJob.model_validate(
            {
                "apiVersion": "finetune.dev/v1alpha1",
                "kind": "FineTuneJob",
                "metadata": {"name": "bench"},
                "spec": common | spec,
            }
        )

    def model_copy(self, folder: Path, *left_out: str, config: dict[str, Any] | str | None = None) -> Path:
        """A copy of the model without some files; ``config`` replaces its config.json, or fields of it."""
        shutil.copytree(self.model, folder, ignore=shutil.ignore_patterns(*left_out))
        if isinstance(config, dict):
            config = json.dumps(json.loads((folder / "config.json").read_text()) | config)
        if config is not None:
            (folder / "config.json").write_text(config)
        return folder

    def start(self, config: PrepareConfig | TrainerConfig, *, fresh: bool = False) -> Step:
        """Start the step that the config is for."""
        return self.start_with(
            config.to_json(), "prepare" if isinstance(config, PrepareConfig) else "train", fresh=fresh
        )

    def start_with(self, config: str, name: StepName, *, fresh: bool = False) -> Step:
        """Start a step with any text as its config."""
        self._steps += 1
        return Step(name, config, self._folder / f"step-{self._steps:03d}-{name}", fresh=fresh)

    def prepare(self, job: FineTuneJob, *, fresh: bool = False) -> Ended:
        """The prepare step of a job."""
        return self.start(prepare_config(job), fresh=fresh).end()

    def train(self, job: FineTuneJob, *, fresh: bool = False) -> Run:
        """Both steps of a job."""
        return self.train_again(self.trainer_config(job, fresh=fresh), fresh=fresh)

    def train_again(self, config: TrainerConfig, *, fresh: bool = False) -> Run:
        """The training step of a job that is prepared."""
        return run_of(config, self.start(config, fresh=fresh).end())

    def trainer_config(self, job: FineTuneJob, *, fresh: bool = False) -> TrainerConfig:
        """What the training step of a job is told, once it is prepared and planned."""
        report = PrepareReport.model_validate_json(self.prepare(job, fresh=fresh).good_answer)
        return trainer_config(job, report)


def assert_fails_clearly(ended: Ended, reason: str, *words: str) -> None:
    """One line for people with every word, and no stack of Python's."""
    failure = ended.failure
    assert failure.reason == reason, failure
    assert "\n" not in failure.message
    for word in words:
        assert word in failure.message
    assert f"{reason}: {failure.message}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.answer.encode()) <= TERMINATION_BYTES


def run_of(config: TrainerConfig, ended: Ended) -> Run:
    """What a training step of that config has left."""
    return Run(config, folder_of(config.output.uri), ended)


def prepare_config(job: FineTuneJob) -> PrepareConfig:
    """What ``ftj run`` tells the prepare step."""
    return build.prepare_config(job.metadata.name, job_uid(job), job.spec, lambda location, role: place_of(location))


def trainer_config(job: FineTuneJob, report: PrepareReport) -> TrainerConfig:
    """What ``ftj run`` tells the training step."""
    gpu = find_gpu(job.spec.gpu.type)
    planned = plan(job.spec, report.model_shape, report.statistics, gpu)
    assert planned.feasible, planned.reasons
    return build.trainer_config(prepare_config(job), job.spec, report, planned, "cpu" if gpu.is_cpu else "cuda")


def folder_of(uri: str) -> Path:
    """The folder that a ``file://`` URI of these tests names."""
    return Path(uri.removeprefix("file://"))


def checkpoints_folder(config: TrainerConfig) -> Path:
    """Where the checkpoints of a config lie."""
    return folder_of(config.output.uri) / config.checkpoint_path


def complete_checkpoints(config: TrainerConfig) -> list[int]:
    """Steps of the complete checkpoints of a config, in order."""
    folders = (file.parent for file in checkpoints_folder(config).glob("step-*/complete.json"))
    return sorted(int(folder.name.removeprefix("step-")) for folder in folders)


def checkpoint_folder(config: TrainerConfig, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return checkpoints_folder(config) / f"step-{step:08d}"


def manifest_of(output: Path) -> Manifest:
    """The manifest of a finished output."""
    return Manifest.model_validate_json((output / "manifest.json").read_text(encoding="utf-8"))


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder with its SHA-256."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
