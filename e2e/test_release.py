"""The life of a Helm release while jobs run."""

from collections.abc import Iterator

import pytest

from control_plane import wait_for
from e2e.cluster.cluster import Cluster
from e2e.conftest import a_namespace
from e2e.jobs import Jobs, job
from e2e.operator_release import NAMESPACE, SELECTOR, OperatorRelease
from e2e.results import has_manifest
from e2e.test_interruptions import long


def test_helm_test_passes(operator: OperatorRelease, cluster: Cluster) -> None:
    told = cluster.helm("test", "finetune-operator", "--namespace", NAMESPACE, "--timeout", "2m")
    assert "Succeeded" in told


def test_an_upgrade_and_a_rollback_leave_a_running_job_alone(
    jobs: Jobs, operator: OperatorRelease, cluster: Cluster
) -> None:
    jobs.apply(long("steady"))
    jobs.wait_until_trained("steady", 10)
    before = {pod["metadata"]["name"] for pod in operator.pods()}
    operator.install(**{"settings.workers": 8})
    upgraded = {pod["metadata"]["name"] for pod in operator.pods()}
    assert not before & upgraded, "no pod was replaced"
    cluster.helm("rollback", "finetune-operator", "--namespace", NAMESPACE, "--wait")
    operator.wait_for_leader()
    status = jobs.wait_for_phase("steady", "Succeeded")
    assert [attempt["outcome"] for attempt in status["attempts"]] == ["Succeeded"]
    assert len(jobs.pods("steady")) == 1


def test_uninstalling_leaves_jobs_models_and_running_pods(
    jobs: Jobs, operator: OperatorRelease, cluster: Cluster
) -> None:
    jobs.apply(job("kept"))
    kept = jobs.wait_for_phase("kept", "Succeeded")["artifact"]
    jobs.apply(long("unattended"))
    jobs.wait_until_trained("unattended", 10)
    operator.uninstall()
    wait_for(lambda: cluster.get("all", "--namespace", NAMESPACE)["items"] == [], 60)
    assert jobs.status("kept")["artifact"] == kept
    assert cluster.get("crd", "finetunejobs.finetune.dev")
    pod = jobs.pods("unattended")[0]["metadata"]["name"]
    cluster.kubectl(
        "wait", f"pod/{pod}", "--for=jsonpath={.status.phase}=Succeeded", "-n", jobs.namespace, "--timeout=180s"
    )
    operator.install()
    status = jobs.wait_for_phase("unattended", "Succeeded")
    assert [attempt["outcome"] for attempt in status["attempts"]] == ["Succeeded"]


@pytest.fixture
def two_namespaces(cluster: Cluster, quickstart: str) -> Iterator[tuple[Jobs, Jobs]]:
    with a_namespace(cluster) as first, a_namespace(cluster) as second:
        yield first, second


def test_it_serves_the_namespaces_that_it_is_given_and_no_other(
    cluster: Cluster, release: OperatorRelease, two_namespaces: tuple[Jobs, Jobs]
) -> None:
    served, other = two_namespaces
    release.install(namespaces=[served.namespace])
    bindings = cluster.kubectl("get", "clusterrolebindings", "--output=name", f"--selector={SELECTOR}")
    assert bindings == "", "it has rights beyond its namespaces"
    for jobs in (other, served):
        jobs.apply(job("here"))
    served.wait_for_phase("here", "Succeeded")
    assert other.status("here") == {}
    assert other.pods("here", "prepare") == []


def test_two_namespaces_have_jobs_of_one_name(
    cluster: Cluster, operator: OperatorRelease, two_namespaces: tuple[Jobs, Jobs]
) -> None:
    for number, jobs in enumerate(two_namespaces):
        made = job("twin")
        made["spec"]["output"]["uri"] += f"-{number}"
        jobs.apply(made)
    uris = [jobs.wait_for_phase("twin", "Succeeded")["artifact"]["uri"] for jobs in two_namespaces]
    assert len(set(uris)) == 2


def test_a_job_that_has_lived_its_time_is_removed_and_its_model_stays(cluster: Cluster, jobs: Jobs) -> None:
    made = job("brief", ttlSecondsAfterFinished=1)
    jobs.apply(made)
    wait_for(lambda: "brief" not in cluster.kubectl("get", "ftj", "--output=name", "-n", jobs.namespace), 240)
    assert has_manifest(cluster, made)
