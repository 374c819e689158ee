"""The operator keeps to itself: what it leaves on objects, and where it works."""

from uuid import uuid4

import pytest

from control_plane import ControlPlane, wait_for
from operator_jobs import NAME, Jobs, Script, job, jobs_in
from operator_process import OperatorProcess

QUEUES = {"kueue.x-k8s.io/queue-name": "gpus", "finetune.dev/prepare-queue-name": "cpus"}


def test_a_job_is_left_as_it_was_but_for_its_status(operator: OperatorProcess, jobs: Jobs, script: Script) -> None:
    made = job()
    made["metadata"] |= {"labels": {"team": "a", "argocd.argoproj.io/instance": "jobs"} | QUEUES}
    before = jobs.apply(made)
    jobs.wait_for_phase("Succeeded")
    after = jobs.get()
    assert after["spec"] == before["spec"]
    for part in ("generation", "labels", "annotations", "finalizers", "ownerReferences"):
        assert after["metadata"].get(part) == before["metadata"].get(part)
    assert after["status"]["observedGeneration"] == after["metadata"]["generation"]
    managers = {entry["manager"]: entry.get("subresource") for entry in after["metadata"]["managedFields"]}
    assert managers["finetune-operator"] == "status"
    for kind, queue in (("prepare", "cpus"), ("train", "gpus")):
        [child] = jobs.children(kind)
        labels = child["metadata"]["labels"]
        assert labels["kueue.x-k8s.io/queue-name"] == queue
        assert "team" not in labels
        assert "argocd.argoproj.io/instance" not in labels
        assert child["spec"]["backoffLimit"] == 0


def test_a_pod_that_the_server_refuses_fails_the_job_with_its_words(operator: OperatorProcess, jobs: Jobs) -> None:
    jobs.apply(job(pod={"labels": {"team": "not valid!"}}))
    jobs.wait_for_phase("Failed")
    reason, message = jobs.reason()
    assert reason == "InvalidSpec"
    assert "not valid!" in message
    assert jobs.children() == []


@pytest.fixture
def others(finetunejobs: ControlPlane) -> Jobs:
    """The jobs of another namespace."""
    with finetunejobs.namespace(f"test-{uuid4().hex[:12]}") as name:
        yield jobs_in(finetunejobs, name)


def test_of_one_namespace_others_are_left_alone(
    operator: OperatorProcess, jobs: Jobs, others: Jobs, script: Script
) -> None:
    others.apply(job())
    jobs.apply(job())
    jobs.wait_for_phase("Succeeded")
    assert "status" not in others.get()
    assert others.children() == []


def test_of_all_namespaces_every_one_is_served(
    cluster_operator: OperatorProcess, jobs: Jobs, others: Jobs, script: Script
) -> None:
    for made in (jobs, others):
        made.apply(job())
    for made in (jobs, others):
        made.wait_for_phase("Succeeded")
        step = f'finetune_job_step{{name="{NAME}",namespace="{made.namespace}"}}'
        wait_for(lambda step=step: step in cluster_operator.values())
