"""A job over two nodes: pods that train together, and what becomes of it when one of them is taken away."""

import pytest

from e2e.cluster.cluster import Cluster, Json, wait_for
from e2e.jobs import Jobs, index, job
from e2e.results import has_manifest
from e2e.test_interruptions import INTERRUPTED_AT, STEPS, fill_memory, first_step


def pair(name: str) -> Json:
    """A job of two pods that takes some ten seconds, and stores its state every 20 steps."""
    numbers = {"learningRate": 3e-3, "effectiveBatchSize": 16, "microBatchSize": 4, "loggingSteps": 5}
    return job(
        name,
        gpu={"type": "cpu", "nodes": 2},
        hyperparameters={**numbers, "maxSteps": STEPS},
        checkpoints={"everySteps": 20},
    )


def running(jobs: Jobs, name: str, attempt: int) -> list[Json]:
    """Both pods of an attempt, the first node's first, once they run."""

    def both() -> list[Json] | None:
        found = [
            pod
            for pod in jobs.pods(name)
            if pod["metadata"]["labels"]["finetune.dev/number"] == str(attempt) and pod["status"]["phase"] == "Running"
        ]
        return found if len(found) == 2 else None

    return wait_for(both, 120)


@pytest.mark.parametrize("node", [0, 1], ids=["first-node", "second-node"])
def test_one_of_two_pods_is_deleted_and_both_go_on_from_where_they_were(
    node: int, cluster: Cluster, jobs: Jobs
) -> None:
    name = f"pair-{node}"
    made = pair(name)
    jobs.apply(made)
    jobs.wait_until_trained(name, INTERRUPTED_AT)
    pods = running(jobs, name, 1)
    assert [index(pod) for pod in pods] == [0, 1]
    cluster.kubectl("delete", "pod", pods[node]["metadata"]["name"], "--wait=false", "--namespace", jobs.namespace)
    running(jobs, name, 2)
    status = jobs.wait_for_phase(name, "Succeeded")
    assert [attempt["outcome"] for attempt in status["attempts"]] == ["Disrupted", "Succeeded"]
    assert first_step(cluster, jobs, name, 2) > INTERRUPTED_AT
    assert status["progress"]["step"] == STEPS
    assert has_manifest(cluster, made)


def test_one_of_two_pods_is_killed_for_memory_and_the_reason_is_told(cluster: Cluster, jobs: Jobs) -> None:
    made = pair("hungry-pair")
    jobs.apply(made)
    jobs.wait_until_trained("hungry-pair", INTERRUPTED_AT)
    fill_memory(cluster, jobs, running(jobs, "hungry-pair", 1)[1])
    status = jobs.wait_for_phase("hungry-pair", "Succeeded")
    first, second = status["attempts"]
    assert (first["outcome"], first["reason"], second["outcome"]) == ("Failed", "OutOfMemory", "Succeeded")
    assert (first["microBatchSize"], second["microBatchSize"]) == (4, 2)
    assert status["progress"]["step"] == STEPS
    assert has_manifest(cluster, made)
