"""The life of a Helm release while jobs run."""

from collections.abc import Iterator

import pytest

from e2e.cluster.cluster import Cluster, wait_for
from e2e.conftest import a_namespace
from e2e.jobs import Jobs, job
from e2e.operator_release import NAMESPACE, RELEASE, SELECTOR, OperatorRelease
from e2e.results import has_manifest
from e2e.test_interruptions import long


def test_helm_test_passes(operator: OperatorRelease, cluster: Cluster) -> None:
    told = cluster.helm("test", "finetune-operator", "--namespace", NAMESPACE, "--timeout", "2m")
    assert "Succeeded" in told


def test_an_upgrade_and_a_rollback_leave_a_running_job_alone(
    jobs: Jobs, operator: OperatorRelease, cluster: Cluster
) -> None:
    jobs.apply(long("steady", steps=200))
    jobs.wait_until_trained("steady", 10)
    before = {pod["metadata"]["name"] for pod in operator.pods()}
    operator.install(**{"settings.workers": 8})
    assert not before & {pod["metadata"]["name"] for pod in operator.pods()}, "a pod was not replaced"
    assert operator.settings()["FTJ_OPERATOR_WORKERS"] == "8"
    assert jobs.status("steady")["phase"] == "Training", "the job was too short"
    operator.rollback()
    assert operator.settings()["FTJ_OPERATOR_WORKERS"] == "16"
    status = jobs.wait_for_phase("steady", "Succeeded")
    assert [attempt["outcome"] for attempt in status["attempts"]] == ["Succeeded"]
    assert len(jobs.pods("steady")) == 1


def test_uninstalling_leaves_jobs_and_what_they_run(jobs: Jobs, operator: OperatorRelease, cluster: Cluster) -> None:
    made = long("unattended")
    jobs.apply(made)
    jobs.wait_until_trained("unattended", 10)
    operator.uninstall()
    wait_for(lambda: what_is_left(cluster) == STAYS, 60)
    assert jobs.status("unattended")["phase"] == "Training"
    assert cluster.get("crd", "finetunejobs.finetune.dev")
    wait_for(lambda: has_manifest(cluster, made), 120)
    operator.install()
    status = jobs.wait_for_phase("unattended", "Succeeded")
    assert [attempt["outcome"] for attempt in status["attempts"]] == ["Succeeded"]


STAYS = {"configmap/kube-root-ca.crt", "serviceaccount/default", f"lease.coordination.k8s.io/{RELEASE}"}
"""What every namespace has, and the Lease."""


def what_is_left(cluster: Cluster) -> set[str]:
    """Everything in the operator's namespace that a chart could have put there."""
    kinds = "all,configmaps,secrets,serviceaccounts,roles,rolebindings,poddisruptionbudgets,networkpolicies,leases"
    return set(cluster.kubectl("get", kinds, "--namespace", NAMESPACE, "--output=name", "--ignore-not-found").split())


@pytest.fixture
def three_namespaces(cluster: Cluster, quickstart: str) -> Iterator[list[Jobs]]:
    with a_namespace(cluster) as first, a_namespace(cluster) as second, a_namespace(cluster) as third:
        yield [first, second, third]


def test_it_serves_the_namespaces_that_it_is_given_and_no_other(
    cluster: Cluster, release: OperatorRelease, three_namespaces: list[Jobs]
) -> None:
    *served, other = three_namespaces
    release.install(namespaces=[jobs.namespace for jobs in served])
    bindings = cluster.kubectl("get", "clusterrolebindings", "--output=name", f"--selector={SELECTOR}")
    assert bindings == "", "it has rights beyond its namespaces"
    for jobs in (other, *served):
        jobs.apply(job("of-one-name"))
    artifacts = [jobs.wait_for_phase("of-one-name", "Succeeded")["artifact"] for jobs in served]
    assert len({artifact["uri"] for artifact in artifacts}) == 2
    assert other.status("of-one-name") == {}
    assert other.pods("of-one-name", "prepare") == []
