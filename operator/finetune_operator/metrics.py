"""What Prometheus reads: the last values of every job, and how the operator itself fares.

A job's values are those of its status, so they outlive its pods and this process. Only the leader tells them, or
every figure would be there once for each replica.
"""

import time
from collections import Counter as Tally
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric

from finetune_core.api.status import FineTuneJobStatus, Phase
from finetune_operator.decide.observed import Observed
from finetune_operator.queue import Queue
from finetune_operator.records import Key

GAUGES = {
    "train_loss": "Training loss at the newest logged step.",
    "eval_loss": "Validation loss at the newest evaluation.",
    "learning_rate": "Learning rate at the newest logged step.",
    "grad_norm": "Gradient norm before clipping at the newest logged step.",
    "epoch": "Passes over the data so far.",
    "step": "Optimizer steps taken.",
    "steps": "Optimizer steps planned.",
    "tokens_per_second": "Tokens trained on in a second, prompts included.",
    "eta_seconds": "Seconds until training ends, by the newest steps; absent when it has.",
    "peak_memory_bytes": "Highest memory use of one card, or of the process on a CPU.",
    "predicted_memory_bytes": "Peak that the plan predicted for one card.",
    "supervised_tokens": "Tokens with loss on them in the training rows.",
    "attempts": "Train Jobs started.",
}
"""``finetune_job_NAME``, with the labels namespace and name."""

LABELS = ("namespace", "name")
PHASES: tuple[Phase, ...] = get_args(Phase)


@dataclass(frozen=True, slots=True)
class _Told:
    """What is told of one job."""

    phase: str
    info: tuple[str, str, str, str]
    """Method, GPU, model, UID."""
    values: dict[str, float]


class Metrics:
    """The operator's registry; a scrape is answered from memory alone."""

    def __init__(self, queue: Queue) -> None:
        self._jobs: dict[Key, _Told] = {}
        self._queue = queue
        self._watched: dict[str, float] = {}
        self.leader = False
        self.registry = CollectorRegistry()
        self.duration = Histogram(
            "finetune_reconcile_duration_seconds", "Time of one pass over a job.", registry=self.registry
        )
        self.errors = Counter(
            "finetune_reconcile_errors", "Passes that failed, and came again.", registry=self.registry
        )
        self.latency = Histogram(
            "finetune_queue_latency_seconds", "Wait of a job until a worker took it.", registry=self.registry
        )
        self.registry.register(self)

    def tell(self, key: Key, observed: Observed, status: FineTuneJobStatus) -> None:
        """Remember the values of a job."""
        plan, spec = status.plan, observed.spec
        method = plan.method if plan is not None and plan.method is not None else ""
        info = (method, spec.gpu.type if spec else "", spec.model.uri if spec else "", observed.uid)
        self._jobs[key] = _Told(status.phase or "Pending", info, _values(status))

    def forget(self, key: Key) -> None:
        """Drop a job that was deleted."""
        self._jobs.pop(key, None)

    def seen(self, resource: str) -> None:
        """A watch or a list has just told of that kind."""
        self._watched[resource] = time.monotonic()

    def oldest_watch_seconds(self) -> float:
        """How long ago the quietest kind was last told of."""
        return max((time.monotonic() - seen for seen in self._watched.values()), default=0.0)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """For the registry: what is not counted but looked up."""
        yield GaugeMetricFamily("finetune_leader", "1 for the replica that works, 0 for one that waits.", self.leader)
        yield GaugeMetricFamily("finetune_queue_depth", "Jobs that wait for a worker or have one.", len(self._queue))
        age = GaugeMetricFamily(
            "finetune_watch_age_seconds", "Time since the API server told of this kind.", labels=["resource"]
        )
        for resource, seen in self._watched.items():
            age.add_metric([resource], time.monotonic() - seen)
        yield age
        if self.leader:
            yield from self._of_jobs()

    def _of_jobs(self) -> Iterator[Metric]:
        jobs = list(self._jobs.items())
        phases = Tally(told.phase for _, told in jobs)
        total = GaugeMetricFamily("finetune_jobs", "FineTuneJobs, by phase.", labels=["phase"])
        for phase in PHASES:
            total.add_metric([phase], phases[phase])
        yield total
        for name, text in GAUGES.items():
            gauge = GaugeMetricFamily(f"finetune_job_{name}", text, labels=LABELS)
            for key, told in jobs:
                if name in told.values:
                    gauge.add_metric(key, told.values[name])
            yield gauge
        states = GaugeMetricFamily("finetune_job_phase", "1 for the phase the job is in.", labels=(*LABELS, "phase"))
        info = InfoMetricFamily("finetune_job", "What the job is; always 1.", labels=LABELS)
        for key, told in jobs:
            for phase in PHASES:
                states.add_metric((*key, phase), phase == told.phase)
            info.add_metric(key, dict(zip(("method", "gpu", "model", "uid"), told.info, strict=True)))
        yield states
        yield info


def _values(status: FineTuneJobStatus) -> dict[str, float]:
    progress, dataset = status.progress, status.dataset
    memory = status.plan.memory if status.plan is not None else None
    values: dict[str, float | None] = {
        "attempts": status.attempts[-1].number if status.attempts else 0,
        "predicted_memory_bytes": memory.peak_bytes if memory is not None else None,
        "supervised_tokens": dataset.supervised_tokens if dataset is not None else None,
    }
    if progress is not None:
        values |= {
            "train_loss": progress.loss,
            "eval_loss": progress.eval_loss,
            "learning_rate": progress.learning_rate,
            "grad_norm": progress.grad_norm,
            "epoch": progress.epoch,
            "step": progress.step,
            "steps": progress.total_steps,
            "tokens_per_second": progress.tokens_per_second,
            "eta_seconds": progress.eta_seconds,
            "peak_memory_bytes": progress.peak_memory_bytes,
        }
    return {name: float(value) for name, value in values.items() if value is not None}
