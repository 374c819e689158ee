"""FineTuneJobs in a namespace of a ``ControlPlane``, and trainers that answer as a test has it."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from control_plane import ControlPlane, Json, wait_for
from finetune_core.api.status import FINISHED
from finetune_core.contract import (
    Artifact,
    DataStatistics,
    Failure,
    LengthPercentiles,
    ModelShape,
    PrepareReport,
    Progress,
    RunReport,
    TrainerConfig,
    format_progress,
)
from finetune_core.contract.environment import CONFIG_VARIABLE, EXIT_TERMINATED
from pod_runner import Answer

NAME = "support-bot"
STEPS = 12
SHAPE = ModelShape(
    model_type="llama",
    hidden_size=192,
    intermediate_size=512,
    num_layers=4,
    num_heads=6,
    num_kv_heads=3,
    head_dim=32,
    vocab_size=2048,
    max_position_embeddings=512,
    tied_embeddings=True,
)
PREPARED = PrepareReport(
    fingerprint="0" * 64,
    model_shape=SHAPE,
    statistics=DataStatistics(
        rows=90,
        validation_rows=10,
        tokens=9_000,
        supervised_tokens=4_500,
        lengths=LengthPercentiles(p50=90, p95=120, p99=140, max=150),
        supervised_max=80,
    ),
    rows=104,
    used_rows=100,
    rejected_rows=4,
    findings=[],
)
GOOD_PREPARATION = Answer(message=PREPARED.to_json())


def job(name: str = NAME, **spec: Any) -> Json:
    """A job for a CPU, whose places are claims; ``spec`` replaces fields or adds them."""
    return {
        "apiVersion": "finetune.dev/v1alpha1",
        "kind": "FineTuneJob",
        "metadata": {"name": name},
        "spec": {
            "model": {"uri": "pvc://models/base"},
            "dataset": {"uri": "pvc://data/rows.jsonl"},
            "gpu": {"type": "cpu"},
            "output": {"uri": f"pvc://models/{name}"},
            "hyperparameters": {"maxSteps": STEPS, "effectiveBatchSize": 8, "microBatchSize": 4},
            **spec,
        },
    }


def failure(reason: str, message: str, **how: Any) -> Answer:
    """A step that failed and says why."""
    return Answer(**{"exit_code": 1, "message": Failure(reason=reason, message=message).to_json(), **how})


def progress_log(*steps: int) -> str:
    """What a trainer has printed after these steps."""
    lines = [
        Progress(step=step, total_steps=STEPS, epoch=step / STEPS, time=1_000.0 + step, loss=2 - step / STEPS)
        for step in steps
    ]
    return "".join(f"{format_progress(line)}\n" for line in lines)


def trained(config: TrainerConfig, **how: Any) -> Answer:
    """A training that went well."""
    report = RunReport(
        job_name=config.job_name,
        job_uid=config.job_uid,
        steps=STEPS,
        train_loss=1.0,
        eval_loss_before=2.5,
        eval_loss=0.75,
        supervised_tokens=4_500,
        seconds=1.0,
        versions={"torch": "none"},
        artifact=Artifact(
            uri=config.output.uri,
            manifest_sha256=manifest_of(config.job_uid),
            size_bytes=1_000,
            files=9,
            base_model="base",
            method=config.method,
            report_uri=f"{config.output.uri}/report.html",
        ),
    )
    return Answer(**{"message": report.to_json(), "log": progress_log(*range(1, STEPS + 1)), "seconds": 1.0, **how})


def manifest_of(uid: str) -> str:
    """By what a test tells whose model it is."""
    return hashlib.sha256(uid.encode()).hexdigest()


def hanging(*steps: int) -> Answer:
    """A trainer that has taken these steps and runs until it is stopped."""
    return Answer(never_ends=True, log=progress_log(*steps))


@dataclass(frozen=True)
class Started:
    """A pod that was started."""

    job: str
    kind: str
    number: int
    config: Json
    """What it was told."""


Which = int | tuple[str, int]
TrainAnswer = Answer | Callable[[TrainerConfig], Answer] | None


@dataclass
class Script:
    """What pods answer, by their job's name and the number of their step; all goes well where nothing else is said.

    A number alone counts for every job. None: the pod's command is run.
    """

    preparations: dict[Which, Answer] = field(default_factory=dict)
    trainings: dict[Which, TrainAnswer] = field(default_factory=dict)
    """Of the first node."""
    further_nodes: dict[Which, Answer] = field(default_factory=dict)
    """Of all others, which end well without a word."""
    started: list[Started] = field(default_factory=list)
    """Every pod that was started, in order."""

    def __call__(self, pod: Json) -> Answer | None:
        labels = pod["metadata"]["labels"]
        kind, which = labels["finetune.dev/step"], (labels["finetune.dev/job"], int(labels["finetune.dev/number"]))
        config = config_of(pod["spec"])
        self.started.append(Started(which[0], kind, which[1], config))
        if kind == "prepare":
            return self.preparations.get(which, self.preparations.get(which[1], GOOD_PREPARATION))
        if index_of(pod):
            return self.further_nodes.get(which, self.further_nodes.get(which[1], Answer(seconds=0.5)))
        answer = self.trainings.get(which, self.trainings.get(which[1], trained))
        return answer(TrainerConfig.model_validate_json(json.dumps(config))) if callable(answer) else answer

    def kinds(self, job: str = NAME) -> list[tuple[str, int]]:
        """Kind and number of the pods that were started for a job."""
        return [(pod.kind, pod.number) for pod in self.started if pod.job == job]


def index_of(pod: Json) -> int:
    """Which node a pod is, of those that train together."""
    return int(pod["metadata"].get("annotations", {}).get("batch.kubernetes.io/job-completion-index", 0))


STUBBORN = """
import os, pathlib, signal, sys, time
folder = pathlib.Path(os.environ["FOLDER"])
def stop(*_):
    (folder / "asked-to-stop").touch()
    time.sleep({seconds})
    (folder / "running").unlink()
    sys.exit({exit_code})
signal.signal(signal.SIGTERM, stop)
(folder / "running").touch(exist_ok=False)
while True:
    signal.pause()
"""


def stubborn_trainer(folder: Path, seconds: float, exit_code: int = EXIT_TERMINATED) -> Json:
    """Options of a pod that says nothing and needs so long to stop; files in the folder tell of it."""
    package = folder / "finetune_trainer"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "main.py").write_text(STUBBORN.format(seconds=seconds, exit_code=exit_code))
    return {"env": [{"name": name, "value": str(folder)} for name in ("PYTHONPATH", "FOLDER")]}


def config_of(pod: Json) -> Json:
    """What a pod is told."""
    variables = {variable["name"]: variable.get("value", "") for variable in pod["containers"][0]["env"]}
    config: Json = json.loads(variables[CONFIG_VARIABLE])
    return config


class Jobs:
    """The FineTuneJobs of one namespace, and what belongs to them."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self.plane = plane
        self.namespace = namespace
        self.path = f"/apis/finetune.dev/v1alpha1/namespaces/{namespace}/finetunejobs"
        self.kubectl_options = ("--namespace", namespace)

    def apply(self, made: Json) -> Json:
        """Create a job, as a person would."""
        self.plane.kubectl("apply", "--filename", "-", *self.kubectl_options, input=json.dumps(made))
        return self.get(made["metadata"]["name"])

    def get(self, name: str = NAME) -> Json:
        status, found = self.plane.request("GET", f"{self.path}/{name}")
        assert status == 200, found
        return found

    def status(self, name: str = NAME) -> Json:
        found: Json = self.get(name).get("status", {})
        return found

    def exists(self, name: str = NAME) -> bool:
        return self.plane.request("GET", f"{self.path}/{name}")[0] == 200

    def delete(self, name: str = NAME) -> None:
        """As kubectl does it."""
        status, answer = self.plane.request("DELETE", f"{self.path}/{name}", {"propagationPolicy": "Background"})
        assert status == 200, answer

    def suspend(self, suspended: bool, name: str = NAME) -> None:
        patch = {"spec": {"suspend": suspended}}
        status, answer = self.plane.request("PATCH", f"{self.path}/{name}", patch, "application/merge-patch+json")
        assert status == 200, answer

    def wait_for_phase(self, phase: str, name: str = NAME, seconds: float = 30) -> Json:
        """The status, once the job is in that phase; a job that ends otherwise is not waited for."""

        def reached() -> Json | None:
            status = self.status(name)
            now = status.get("phase")
            assert now == phase or now not in FINISHED, f"{now}: {self.reason(name)}"
            return status if now == phase else None

        try:
            return wait_for(reached, seconds)
        except TimeoutError as error:
            raise AssertionError(f"no {phase} after {seconds:.0f} s, but {json.dumps(self.status(name))}") from error

    def wait_until_trained(self, step: int, name: str = NAME) -> Json:
        """The status, once it tells of that step."""

        def reached() -> Json | None:
            status = self.status(name)
            return status if status.get("progress", {}).get("step", 0) >= step else None

        return wait_for(reached)

    def reason(self, name: str = NAME) -> tuple[str, str]:
        """Why the job is as it is: reason and message of its Ready condition."""
        ready = next(one for one in self.status(name)["conditions"] if one["type"] == "Ready")
        return ready["reason"], ready["message"]

    def children(self, kind: str = "") -> list[Json]:
        """Child Jobs, oldest first."""
        selector = "finetune.dev/job" + (f",finetune.dev/step={kind}" if kind else "")
        found = self._list(f"/apis/batch/v1/namespaces/{self.namespace}/jobs?labelSelector={selector}")
        return sorted(found, key=lambda one: int(one["metadata"]["labels"]["finetune.dev/number"]))

    def pods(self) -> list[Json]:
        return self._list(f"/api/v1/namespaces/{self.namespace}/pods")

    def running_pod(self, kind: str = "train") -> Json:
        """The pod of a running step, once there is one."""

        def running() -> Json | None:
            found = [pod for pod in self.pods() if pod["metadata"]["labels"]["finetune.dev/step"] == kind]
            return next((pod for pod in found if pod["status"]["phase"] == "Running"), None)

        return wait_for(running)

    def events(self, name: str = NAME) -> list[Json]:
        """What ``kubectl describe`` tells of the job."""
        selector = f"involvedObject.kind=FineTuneJob,involvedObject.name={name}"
        return self._list(f"/api/v1/namespaces/{self.namespace}/events?fieldSelector={selector}")

    def reasons(self, name: str = NAME) -> list[str]:
        """Reasons of the job's events, in order."""
        events = sorted(self.events(name), key=lambda one: int(one["metadata"]["resourceVersion"]))
        return [one["reason"] for one in events]

    def history(self, since: Json) -> list[Json]:
        """Every version of a job since that one, as a watch would have shown them."""
        metadata = since["metadata"]
        query = f"watch=1&timeoutSeconds=1&resourceVersion={metadata['resourceVersion']}"
        query += f"&fieldSelector=metadata.name={metadata['name']}"
        lines = self.plane.kubectl("get", "--raw", f"{self.path}?{query}").stdout.splitlines()
        return [json.loads(line)["object"] for line in lines]

    def _list(self, path: str) -> list[Json]:
        status, found = self.plane.request("GET", path)
        assert status == 200, found
        items: list[Json] = found["items"]
        return items


def jobs_in(plane: ControlPlane, namespace: str) -> Jobs:
    """The jobs of that namespace, in which only pods fit for the level "restricted" are let in from now on."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    path, kind = f"/api/v1/namespaces/{namespace}", "application/merge-patch+json"
    status, answer = plane.request("PATCH", path, {"metadata": {"labels": labels}}, kind)
    assert status == 200, answer
    return Jobs(plane, namespace)
