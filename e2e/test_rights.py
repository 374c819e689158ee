"""What the operator was allowed, against what it asked for in all the tests before: this runs when they have."""

import json
from collections.abc import Iterator
from itertools import product

import pytest

from e2e.cluster.cluster import Cluster, Json
from e2e.jobs import Jobs, job
from e2e.operator_release import ACCOUNT, NAMESPACE, RELEASE, OperatorRelease

Right = tuple[str, str]
"""Verb and resource: ``("create", "batch/jobs")``."""


@pytest.fixture
def requests(own_cluster: Cluster) -> list[Json]:
    """All that the operator has asked for since the cluster was started."""
    assert own_cluster.audit_log is not None
    lines = map(json.loads, own_cluster.audit_log.read_text().splitlines())
    return [line for line in lines if line["user"]["username"] == ACCOUNT]


def test_it_never_asked_for_what_it_may_not(requests: list[Json]) -> None:
    forbidden = {right(line) for line in requests if line.get("responseStatus", {}).get("code") == 403}
    assert forbidden == set()


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
            for group, resource, verb in product(rule["apiGroups"], rule["resources"], rule["verbs"]):
                yield verb, "/".join(filter(None, (group, resource)))
