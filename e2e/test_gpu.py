"""Nodes with GPUs, as far as Kubernetes is concerned: what a train pod asks for, and where it lands.

The node says that it has A10s, and has none. So the trainer ends at once and says that it sees no card: more cannot be
shown without one.
"""

import json
from collections.abc import Iterator

import pytest

from e2e.cluster.cluster import Cluster
from e2e.jobs import Jobs, condition, job
from e2e.operator_release import OperatorRelease

GPU = "nvidia.com/gpu"
LABELS = {"nvidia.com/gpu.product": "NVIDIA-A10"}
TOLERANT = {"tolerations": [{"key": GPU, "operator": "Equal", "value": "present", "effect": "NoSchedule"}]}
"""Where all nodes have GPUs the preparation needs it, which by itself keeps off them."""


@pytest.fixture
def gpu_node(own_cluster: Cluster, operator: OperatorRelease) -> Iterator[str]:
    """The node with two A10s, labelled as NVIDIA's feature discovery does it and tainted as clouds do.

    The operator is there before: it does not tolerate the taint.
    """
    cluster = own_cluster
    node = cluster.get("nodes")["items"][0]["metadata"]["name"]
    capacity = json.dumps([{"op": "add", "path": "/status/capacity/nvidia.com~1gpu", "value": "2"}])
    cluster.kubectl("patch", "node", node, "--subresource=status", "--type=json", "--patch", capacity)
    cluster.kubectl("label", "node", node, *(f"{key}={value}" for key, value in LABELS.items()))
    cluster.kubectl("taint", "node", node, f"{GPU}=present:NoSchedule")
    yield node
    cluster.kubectl("taint", "node", node, f"{GPU}-")
    cluster.kubectl("label", "node", node, *(f"{key}-" for key in LABELS))
    removal = json.dumps([{"op": "remove", "path": "/status/capacity/nvidia.com~1gpu"}])
    cluster.kubectl("patch", "node", node, "--subresource=status", "--type=json", "--patch", removal)


def test_a_train_pod_asks_for_the_card_and_lands_on_its_node(gpu_node: str, jobs: Jobs) -> None:
    impatient = {"maxRetries": 0}
    jobs.apply(job("a10", gpu={"type": "A10"}, failurePolicy=impatient, pod=TOLERANT))
    pod = jobs.wait_for_pod("a10")
    assert pod["spec"]["nodeName"] == gpu_node
    resources = pod["spec"]["containers"][0]["resources"]
    assert (resources["limits"][GPU], resources["requests"][GPU], resources["requests"]["cpu"]) == ("1", "1", "3")
    assert {"key": GPU, "operator": "Exists", "effect": "NoSchedule"} in pod["spec"]["tolerations"]
    [terms] = [
        rule["nodeSelectorTerms"]
        for kind, rule in pod["spec"]["affinity"]["nodeAffinity"].items()
        if kind.startswith("required")
    ]
    assert any(
        expression["key"] in LABELS and LABELS[expression["key"]] in expression["values"]
        for term in terms
        for expression in term["matchExpressions"]
    )
    preparation = jobs.pods("a10", "prepare")[0]["spec"]["containers"][0]["resources"]
    assert GPU not in preparation["requests"]
    stalled = condition(jobs.wait_for_phase("a10", "Failed"), "Stalled")
    assert stalled["reason"] == "InvalidSpec"
    assert "CUDA" in stalled["message"]


def test_a_job_for_a_card_of_the_charts_values_that_no_node_has_waits_and_says_so(jobs: Jobs) -> None:
    jobs.apply(job("lab", gpu={"type": "lab 1"}, failurePolicy={"pendingDeadlineSeconds": 10}))
    pod = jobs.wait_until_seen("lab")
    assert pod["spec"]["containers"][0]["resources"]["limits"]["lab.example/gpu"] == "1"
    status = jobs.wait_for_phase("lab", "Failed")
    stalled = condition(status, "Stalled")
    assert stalled["reason"] == "Unschedulable"
    assert "node" in stalled["message"]
