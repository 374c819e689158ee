"""What goes wrong with pods, data and clusters: what the person is told, and what happens next."""

from datetime import datetime
from pathlib import Path

import pytest

from control_plane import Json, wait_for
from operator_jobs import (
    PREPARED,
    Answer,
    Jobs,
    Script,
    failure,
    hanging,
    job,
    stubborn_trainer,
)
from operator_process import OperatorProcess
from pod_runner import PodRunner

RETRY_SECONDS = 30
"""More than the wait before a second attempt (10 s)."""


def seconds_between(attempts: list[Json]) -> float:
    """From the end of the first attempt to the start of the second."""
    ended, started = attempts[0]["endTime"], attempts[1]["startTime"]
    return (datetime.fromisoformat(started) - datetime.fromisoformat(ended)).total_seconds()


def outcomes(status: Json) -> list[str]:
    return [attempt["outcome"] for attempt in status["attempts"]]


class TestOfAnEviction:
    @pytest.fixture
    def pod(self, operator: OperatorProcess, jobs: Jobs, script: Script) -> str:
        """Name of the pod that will be evicted."""
        script.trainings[1] = hanging(1, 2, 3)
        jobs.apply(job())
        jobs.wait_until_trained(3)
        name: str = jobs.running_pod()["metadata"]["name"]
        return name

    def assert_resumed(self, jobs: Jobs, script: Script) -> None:
        status = jobs.wait_for_phase("Succeeded")
        assert outcomes(status) == ["Disrupted", "Succeeded"]
        assert (status["retries"], status["disruptions"]) == (0, 1)
        assert status["attempts"][0]["reason"] == "Disrupted"
        first, second = (started.config for started in script.started if started.kind == "train")
        assert first == second

    def test_the_next_attempt_resumes_at_once(self, jobs: Jobs, pods: PodRunner, script: Script, pod: str) -> None:
        pods.evict(jobs.namespace, pod)
        self.assert_resumed(jobs, script)
        assert seconds_between(jobs.status()["attempts"]) <= 1
        assert "low on resource" in jobs.status()["attempts"][0]["message"]

    def test_it_is_known_when_the_pod_is_gone(
        self, operator: OperatorProcess, jobs: Jobs, pods: PodRunner, script: Script, pod: str
    ) -> None:
        operator.kill()
        pods.evict(jobs.namespace, pod)
        wait_for(lambda: "conditions" in jobs.children("train")[0]["status"])
        jobs.plane.kubectl("delete", "pod", pod, *jobs.kubectl_options)
        operator.start()
        self.assert_resumed(jobs, script)
        assert "DisruptionTarget" in jobs.status()["attempts"][0]["message"]


def test_out_of_memory_halves_the_micro_batch(operator: OperatorProcess, jobs: Jobs, script: Script) -> None:
    script.trainings["told", 1] = failure("OutOfMemory", "the card has 14.6 GiB")
    script.trainings["killed", 1] = Answer(137, reason="OOMKilled")
    for name in ("told", "killed"):
        jobs.apply(job(name))
    for name in ("told", "killed"):
        status = jobs.wait_for_phase("Succeeded", name, RETRY_SECONDS)
        assert outcomes(status) == ["Failed", "Succeeded"]
        assert status["attempts"][0]["reason"] == "OutOfMemory"
        assert [attempt["microBatchSize"] for attempt in status["attempts"]] == [4, 2]
        first, second = (started.config for started in script.started if (started.job, started.kind) == (name, "train"))
        assert second["plan"]["hyperparameters"]["microBatchSize"] == 2
        assert second["plan"]["hyperparameters"]["gradientAccumulationSteps"] == 4
        assert second["planFingerprint"] == first["planFingerprint"]
        assert status["plan"]["hyperparameters"] == second["plan"]["hyperparameters"]


def test_a_crash_is_tried_again_after_a_while(operator: OperatorProcess, jobs: Jobs, script: Script) -> None:
    script.trainings[1] = Answer(exit_code=7)
    jobs.apply(job())
    wait_for(lambda: jobs.status().get("retries") == 1)
    assert jobs.status()["phase"] == "Queued"
    assert "exit code 7" in jobs.reason()[1]
    status = jobs.wait_for_phase("Succeeded", seconds=RETRY_SECONDS)
    assert outcomes(status) == ["Failed", "Succeeded"]
    assert (status["retries"], status["disruptions"]) == (1, 0)
    assert seconds_between(status["attempts"]) >= 9


def test_a_crash_without_retries_is_the_end(operator: OperatorProcess, jobs: Jobs, script: Script) -> None:
    script.trainings[1] = Answer(exit_code=7)
    jobs.apply(job(failurePolicy={"maxRetries": 0}))
    status = jobs.wait_for_phase("Failed")
    reason, message = jobs.reason()
    assert reason == "TrainerError"
    assert "exit code 7" in message
    assert outcomes(status) == ["Failed"]
    assert jobs.reasons()[-1] == "TrainerError"


def test_refused_data_is_the_end(operator: OperatorProcess, jobs: Jobs, script: Script) -> None:
    said = "80 of 104 rows have an empty answer: fix them, or set dataset.quality.empty-output to warn"
    script.preparations[1] = failure("DatasetRefused", said)
    jobs.apply(job())
    status = jobs.wait_for_phase("Failed")
    assert jobs.reason() == ("DatasetRefused", said)
    ready = next(condition for condition in status["conditions"] if condition["type"] == "DatasetReady")
    assert (ready["status"], ready["message"]) == ("False", said)
    assert jobs.children("train") == []
    assert len(jobs.children("prepare")) == 1


def test_an_unknown_gpu_is_the_end_before_any_pod(operator: OperatorProcess, jobs: Jobs) -> None:
    jobs.apply(job(gpu={"type": "RTX-4O90"}))
    jobs.wait_for_phase("Failed")
    reason, message = jobs.reason()
    assert reason == "InvalidSpec"
    assert "RTX-4090" in message
    assert jobs.children() == []


def test_what_fits_no_card_is_told_with_what_would(operator: OperatorProcess, jobs: Jobs, script: Script) -> None:
    large = {"hidden_size": 8192, "intermediate_size": 28672, "num_layers": 80, "num_heads": 64, "num_kv_heads": 8}
    shape = PREPARED.model_shape.model_copy(update={**large, "head_dim": 128, "vocab_size": 128256})
    script.preparations[1] = Answer(message=PREPARED.model_copy(update={"model_shape": shape}).to_json())
    jobs.apply(job(gpu={"type": "RTX-3070"}, hyperparameters={}))
    status = jobs.wait_for_phase("Failed")
    reason, message = jobs.reason()
    assert reason == "Infeasible"
    assert status["plan"]["alternatives"]
    assert any(alternative["change"] in message for alternative in status["plan"]["alternatives"]), message
    assert jobs.children("train") == []


def test_a_pod_that_fits_no_node_is_not_waited_for_for_ever(
    operator: OperatorProcess, jobs: Jobs, pods: PodRunner
) -> None:
    pods.hold = True
    jobs.apply(job(failurePolicy={"pendingDeadlineSeconds": 2}))
    jobs.wait_for_phase("Failed")
    reason, message = jobs.reason()
    assert reason == "Unschedulable"
    assert "0/1 nodes are available" in message
    wait_for(lambda: not jobs.children() and not jobs.pods())


def test_a_secret_may_come_later(operator: OperatorProcess, jobs: Jobs, script: Script) -> None:
    jobs.apply(job(output={"uri": "s3://models/support-bot", "secretName": "keys"}))
    wait_for(lambda: jobs.pods())
    assert jobs.status()["phase"] == "Pending"
    secret = ("generic", "keys", "--from-literal=AWS_ACCESS_KEY_ID=a")
    jobs.plane.kubectl("create", "secret", *secret, *jobs.kubectl_options)
    jobs.wait_for_phase("Succeeded")


def test_a_trainer_that_says_nothing_is_stopped_before_another_starts(
    operator: OperatorProcess, jobs: Jobs, script: Script, tmp_path: Path
) -> None:
    folder = tmp_path / "trainer"
    script.trainings[1] = None
    jobs.apply(job(failurePolicy={"noProgressSeconds": 2}, pod=stubborn_trainer(folder, seconds=12)))
    wait_for((folder / "running").exists)
    wait_for((folder / "asked-to-stop").exists)
    wait_for(lambda: len(script.kinds()) == 3, RETRY_SECONDS)
    assert not (folder / "running").exists(), "two trainers at once"
    status = jobs.wait_for_phase("Succeeded")
    assert outcomes(status) == ["Failed", "Succeeded"]
    assert status["attempts"][0]["reason"] == "NoProgress"
    assert (status["retries"], status["disruptions"]) == (1, 0)
