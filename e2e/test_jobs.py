"""Jobs that end by themselves: each method, and each reason that a person meets first."""

from pathlib import Path

from e2e.cluster.cluster import Cluster, wait_for
from e2e.conftest import s3_secret
from e2e.jobs import BUCKET, Jobs, condition, job, place
from e2e.results import download, has_manifest, plain_losses


def test_each_method_trains_a_model_that_others_load_and_that_outlives_its_job(
    cluster: Cluster, jobs: Jobs, tmp_path: Path
) -> None:
    methods = ("full", "lora", "qlora")
    made = {method: job(method, method=method) for method in methods}
    for method in methods:
        jobs.apply(made[method])
    artifacts = {method: jobs.wait_for_phase(method, "Succeeded")["artifact"]["uri"] for method in methods}

    folders = {method: download(cluster, uri, tmp_path / method) for method, uri in artifacts.items()}
    for method, losses in plain_losses(folders, tmp_path).items():
        assert losses["tuned"] < losses["base"] - 0.2, (method, losses)

    for method in methods:
        jobs.patch(method, ttlSecondsAfterFinished=1)
    wait_for(lambda: not jobs.names(), 60)
    assert all(has_manifest(cluster, made[method]) for method in methods)


def test_jobs_that_cannot_work_fail_with_their_reason_before_training(cluster: Cluster, jobs: Jobs) -> None:
    client = cluster.s3.client()
    client.put_object(Bucket=BUCKET, Key="bad.jsonl", Body=b'{"instruction": "a", "output": "b"}\n' + b"{no json\n" * 9)
    wrong_key = "AKIAWRONGWRONGWRONG"
    cluster.apply(s3_secret(cluster.s3, jobs.namespace, "wrong", AWS_ACCESS_KEY_ID=wrong_key))
    cases = {
        "bad-data": (job("bad-data", dataset=place("bad.jsonl")), "DatasetRefused", "unreadable-row"),
        "no-data": (job("no-data", dataset=place("nothing.jsonl")), "DatasetUnavailable", "nothing.jsonl"),
        "too-large": (job("too-large", gpu={"type": "cpu"}, hyperparameters=HUGE), "Infeasible", "does not fit cpu"),
        "no-such-card": (job("no-such-card", gpu={"type": "GTX-480"}), "InvalidSpec", "GTX-480"),
        "wrong-key": (job("wrong-key", dataset=place("rows.jsonl", secretName="wrong")), "DatasetUnavailable", "s3://"),
        "no-secret": (
            job("no-secret", dataset=place("rows.jsonl", secretName="absent"), failurePolicy=IMPATIENT),
            "SecretMissing",
            "absent",
        ),
    }
    for made, _, _ in cases.values():
        jobs.apply(made)
    for name, (made, reason, words) in cases.items():
        status = jobs.wait_for_phase(name, "Failed")
        stalled = condition(status, "Stalled")
        assert (stalled["status"], stalled["reason"]) == ("True", reason), stalled
        assert words in stalled["message"]
        assert "Traceback" not in stalled["message"]
        assert not jobs.pods(name), f"{name} had a train pod"
        assert not has_manifest(cluster, made)
    everything = jobs.story("") + cluster.kubectl("get", "all,ftj,events", "--output=yaml", "-n", jobs.namespace)
    assert cluster.s3.secret_key not in everything
    assert wrong_key not in everything


HUGE = {"cutoffLength": 512, "microBatchSize": 100_000, "gradientAccumulationSteps": 1}
"""Activations that no machine of 16 GB holds."""
IMPATIENT = {"pendingDeadlineSeconds": 20}
