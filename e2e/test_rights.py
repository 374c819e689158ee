"""What the operator was allowed, against what it asked for in all the tests before: this runs when they have."""

import itertools
import json
import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from e2e.cluster.cluster import Cluster, Json
from e2e.jobs import Jobs, job
from e2e.operator_release import ACCOUNT, NAMESPACE, RELEASE, OperatorRelease

SLOW = {"hyperparameters": {"effectiveBatchSize": 8, "maxSteps": 2_000, "loggingSteps": 1}}
REPLACED_WITHIN = 60.0
Right = tuple[str, str]
"""Verb and resource: ``("create", "batch/jobs")``."""


@pytest.fixture
def audit(own_cluster: Cluster) -> list[Json]:
    """All requests of service accounts since the cluster was started."""
    assert own_cluster.audit_log is not None
    return [json.loads(line) for line in own_cluster.audit_log.read_text().splitlines()]


@pytest.fixture
def requests(audit: list[Json]) -> list[Json]:
    """All that the operator has asked for."""
    return [line for line in audit if line["user"]["username"] == ACCOUNT]


def test_the_rare_requests_are_made(own_cluster: Cluster, jobs: Jobs) -> None:
    """After which it reads a Job, or a FineTuneJob, that it knows of by watching: a taken name, a lost race."""
    jobs.apply(job("unlucky", **SLOW))
    preparation = jobs.wait_for_pod("unlucky", "prepare")["metadata"]["labels"]["batch.kubernetes.io/job-name"]
    taken = {"name": preparation.replace("-prepare-", "-train-"), "namespace": jobs.namespace}
    container = {"name": "stranger", "image": "nothing"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    spec = {"suspend": True, "template": template}
    own_cluster.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": taken, "spec": spec})
    jobs.wait_until_trained("unlucky", 1)
    assert own_cluster.get("job.batch", taken["name"], "--namespace", jobs.namespace)["spec"]["suspend"]
    assert own_cluster.audit_log is not None
    deadline = time.monotonic() + 300
    for count in itertools.count():  # so often that a status meets a job that has just been changed
        assert time.monotonic() < deadline, "no status met a changed job"
        jobs.annotate("unlucky", f"test/count={count}")
        lines = [json.loads(line) for line in own_cluster.audit_log.read_text().splitlines()[-500:]]
        asked = {right(line) for line in lines if line["user"]["username"] == ACCOUNT}
        if ("get", "finetune.dev/finetunejobs") in asked:
            break


def test_it_never_asked_for_what_it_may_not(audit: list[Json], requests: list[Json]) -> None:
    """A replica on its way out may outlive its rights: Helm takes those away first, and then replaces the pods."""
    ended = {
        line["objectRef"].get("name"): seconds(line)
        for line in audit
        if line["verb"] == "delete" and line.get("objectRef", {}).get("resource") == "pods"
    }
    forbidden = [
        (right(line), line["requestReceivedTimestamp"], pod)
        for line in requests
        if line.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid"
        for [pod] in [line["user"]["extra"]["authentication.kubernetes.io/pod-name"]]
        if pod not in ended or seconds(line) < ended[pod] - REPLACED_WITHIN
    ]
    assert forbidden == []


def test_it_never_asked_for_a_secret(requests: list[Json]) -> None:
    assert len(requests) > 100
    assert [line for line in requests if "secrets" in right(line)[1]] == []


def test_it_may_do_nothing_that_it_never_does(
    requests: list[Json], cluster: Cluster, operator: OperatorRelease
) -> None:
    used = {right(line) for line in requests if line["responseStatus"]["code"] < 400}
    granted = set(rights(cluster))
    assert ("create", "batch/jobs") in granted
    assert granted - used == set()


def test_no_pod_of_a_job_has_a_token(cluster: Cluster, jobs: Jobs) -> None:
    jobs.apply(job("bare"))
    pod = jobs.wait_for_pod("bare", "prepare")
    mounts = [mount["mountPath"] for mount in pod["spec"]["containers"][0]["volumeMounts"]]
    assert mounts
    assert [path for path in mounts if "serviceaccount" in path] == []


def seconds(line: Json) -> float:
    """When it was asked."""
    return datetime.fromisoformat(line["requestReceivedTimestamp"]).timestamp()


def right(line: Json) -> Right:
    """What was asked for; what is no resource (``/api``, ``/healthz``) by its path."""
    target = line.get("objectRef")
    if target is None:
        return line["verb"], line["requestURI"].partition("?")[0]
    return line["verb"], "/".join(filter(None, (target.get("apiGroup"), target["resource"], target.get("subresource"))))


def rights(cluster: Cluster) -> Iterator[Right]:
    """All that is granted to the operator's account."""
    account = {"kind": "ServiceAccount", "name": RELEASE, "namespace": NAMESPACE}
    for binding in cluster.get("rolebindings,clusterrolebindings", "--all-namespaces")["items"]:
        if account not in binding.get("subjects", []):
            continue
        name, namespace = binding["roleRef"]["name"], binding["metadata"].get("namespace")
        role = cluster.get(binding["roleRef"]["kind"], name, *(["--namespace", namespace] if namespace else []))
        for rule in role["rules"]:
            for group, resource, verb in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"]):
                yield verb, "/".join(filter(None, (group, resource)))
