"""What Prometheus reads."""

import math

import pytest
from observed_jobs import NAME, NOW, PLAN, attempt, log, observed, planned, running
from prometheus_client.parser import text_string_to_metric_families

from finetune_core.api.status import FineTuneJobStatus, Phase
from finetune_operator.decide import decide
from finetune_operator.metrics import GAUGES, Metrics
from finetune_operator.queue import Queue

KEY = ("team-a", NAME)
SEEN = observed(status=planned(attempt()), trainings=(running(),), log=log(eval_loss=0.75, learning_rate=1e-4))
TRAINING = decide(SEEN, NOW).status


def leading() -> Metrics:
    metrics = Metrics(Queue())
    metrics.leader = True
    return metrics


def series(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of a scrape by its name and labels; none is there twice."""
    families = text_string_to_metric_families(metrics.text().decode())
    samples = [sample for family in families for sample in family.samples]
    read = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(read) == len(samples)
    return read


def of_job(metrics: Metrics, name: str, **labels: str) -> float | None:
    wanted = frozenset({"namespace": KEY[0], "name": KEY[1], **labels}.items())
    return series(metrics).get((f"finetune_job_{name}", wanted))


def test_a_jobs_newest_values_are_told() -> None:
    metrics = leading()
    metrics.tell(KEY, SEEN, TRAINING)
    wanted = {
        "train_loss": 1.235, "eval_loss": 0.75, "learning_rate": 1e-4, "epoch": 0.85, "step": 340, "steps": 1_200,
        "eta_seconds": 1720, "attempts": 1, "predicted_memory_bytes": PLAN.memory.peak_bytes, "grad_norm": None,
    }  # fmt: skip
    assert {name: of_job(metrics, name) for name in wanted} == wanted
    info = {"method": "lora", "gpu": "A10", "model": "hf://Qwen/Qwen2.5-7B-Instruct", "uid": SEEN.uid}
    assert of_job(metrics, "info", **info) == 1


def test_values_outlive_the_pod_and_the_operator() -> None:
    read_back = FineTuneJobStatus.model_validate_json(TRAINING.to_json())
    before, after = leading(), leading()
    before.tell(KEY, SEEN, TRAINING)
    after.tell(KEY, observed(status=read_back), read_back)
    assert {name: of_job(after, name) for name in GAUGES} == {name: of_job(before, name) for name in GAUGES}


@pytest.mark.parametrize("phase", ["Pending", "Training", "Failed"])
def test_the_phase_is_a_state_set_and_counted(phase: Phase) -> None:
    metrics = leading()
    for name in ("a", "b"):
        metrics.tell(("team-a", name), SEEN, TRAINING.model_copy(update={"phase": phase}))
    read = series(metrics)
    set_to = {dict(labels)["name"] for (name, labels), value in read.items() if name == "finetune_job_phase" and value}
    assert set_to == {"a", "b"}
    assert read["finetune_jobs", frozenset({("phase", phase)})] == 2
    assert sum(value for (name, _), value in read.items() if name == "finetune_jobs") == 2


def test_the_phase_is_told_under_the_label_of_the_contract() -> None:
    metrics = leading()
    metrics.tell(KEY, SEEN, TRAINING)
    assert of_job(metrics, "phase", phase="Training") == 1


def test_a_job_without_a_status_is_pending() -> None:
    metrics = leading()
    metrics.tell(KEY, observed(), FineTuneJobStatus())
    assert series(metrics)["finetune_jobs", frozenset({("phase", "Pending")})] == 1


def test_only_the_leader_tells_of_jobs() -> None:
    metrics = Metrics(Queue())
    metrics.tell(KEY, SEEN, TRAINING)
    told = {name for name, _ in series(metrics)}
    assert "finetune_queue_depth" in told
    assert not any(name.startswith("finetune_job") for name in told)
    assert series(metrics)["finetune_leader", frozenset()] == 0


def test_a_deleted_job_is_told_of_no_more() -> None:
    metrics = leading()
    metrics.tell(KEY, SEEN, TRAINING)
    metrics.forget(KEY)
    metrics.forget(KEY)
    assert not any(dict(labels).get("name") == NAME for _, labels in series(metrics))


def test_the_operator_tells_how_it_fares() -> None:
    metrics = leading()
    metrics.errors.inc()
    metrics.duration.observe(0.1)
    metrics.latency.observe(0.1)
    metrics.seen("pods")
    read = series(metrics)
    assert read["finetune_reconcile_errors_total", frozenset()] == 1
    assert read["finetune_reconcile_duration_seconds_count", frozenset()] == 1
    assert read["finetune_queue_latency_seconds_count", frozenset()] == 1
    assert read["finetune_queue_depth", frozenset()] == 0
    assert read["finetune_leader", frozenset()] == 1
    assert 0 <= read["finetune_watch_age_seconds", frozenset({("resource", "pods")})] < 60
    assert not any(math.isnan(value) for value in read.values())
