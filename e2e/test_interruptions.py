"""What clusters do to pods, and what becomes of the training."""

import json

from e2e.cluster.cluster import Cluster, Json, wait_for
from e2e.jobs import Jobs, job
from e2e.operator_release import OperatorRelease

STEPS = 100
INTERRUPTED_AT = 20


def long(name: str, steps: int = STEPS) -> Json:
    """A job that takes some ten seconds, and stores its state every 20 steps."""
    numbers = {"learningRate": 3e-3, "microBatchSize": 4, "gradientAccumulationSteps": 2, "loggingSteps": 5}
    return job(name, hyperparameters={**numbers, "maxSteps": steps}, checkpoints={"everySteps": 20})


def test_an_evicted_trainer_goes_on_from_where_it_was(cluster: Cluster, jobs: Jobs) -> None:
    jobs.apply(long("evicted"))
    jobs.wait_until_trained("evicted", INTERRUPTED_AT)
    evict(cluster, jobs, jobs.wait_for_pod("evicted")["metadata"]["name"])
    status = jobs.wait_for_phase("evicted", "Succeeded")
    assert [attempt["outcome"] for attempt in status["attempts"]] == ["Disrupted", "Succeeded"]
    assert first_step(cluster, jobs, "evicted", 2) > INTERRUPTED_AT
    assert status["progress"]["step"] == STEPS


def test_the_operator_is_killed_and_the_other_replica_takes_over(jobs: Jobs, operator: OperatorRelease) -> None:
    jobs.apply(long("orphaned"))
    before = jobs.wait_until_trained("orphaned", INTERRUPTED_AT)["progress"]["step"]
    leader = operator.wait_for_leader()
    operator.kill(leader)
    assert operator.wait_for_leader(other_than=leader) != leader
    jobs.wait_until_trained("orphaned", before + 1)
    status = jobs.wait_for_phase("orphaned", "Succeeded")
    assert [attempt["outcome"] for attempt in status["attempts"]] == ["Succeeded"]
    assert len(jobs.pods("orphaned")) == 1


def test_a_kill_for_memory_is_told_as_such_and_halves_the_micro_batch(cluster: Cluster, jobs: Jobs) -> None:
    jobs.apply(long("hungry"))
    jobs.wait_until_trained("hungry", INTERRUPTED_AT)
    fill_memory(cluster, jobs, jobs.wait_for_pod("hungry"))
    status = jobs.wait_for_phase("hungry", "Succeeded")
    first, second = status["attempts"]
    assert (first["outcome"], first["reason"]) == ("Failed", "OutOfMemory")
    assert (first["microBatchSize"], second["microBatchSize"]) == (4, 2)
    assert second["outcome"] == "Succeeded"
    assert "OutOfMemory" in jobs.events("hungry")


def test_a_suspended_job_holds_no_pod_and_goes_on_when_it_may(cluster: Cluster, jobs: Jobs) -> None:
    jobs.apply(long("paused"))
    jobs.wait_until_trained("paused", INTERRUPTED_AT)
    jobs.patch("paused", suspend=True)
    status = jobs.wait_for_phase("paused", "Suspended")
    wait_for(lambda: not [pod for pod in jobs.pods("paused") if pod["status"]["phase"] == "Running"], 60)
    assert INTERRUPTED_AT <= status["progress"]["step"] < STEPS
    jobs.patch("paused", suspend=False)
    status = jobs.wait_for_phase("paused", "Succeeded")
    assert first_step(cluster, jobs, "paused", 2) > INTERRUPTED_AT
    assert status["progress"]["step"] == STEPS


def evict(cluster: Cluster, jobs: Jobs, pod: str) -> None:
    """As ``kubectl drain`` does."""
    metadata = {"name": pod, "namespace": jobs.namespace}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    path = f"/api/v1/namespaces/{jobs.namespace}/pods/{pod}/eviction"
    cluster.kubectl("create", "--raw", path, "--filename", "-", input=json.dumps(eviction))


def first_step(cluster: Cluster, jobs: Jobs, name: str, attempt: int) -> int:
    """The first step that the trainer of that attempt tells of."""
    pod = jobs.wait_for_pod(name, number=attempt)["metadata"]["name"]
    lines = cluster.kubectl("logs", pod, "--namespace", jobs.namespace).splitlines()
    steps = [json.loads(line.partition("{")[1] + line.partition("{")[2]) for line in lines if '"step":' in line]
    return int(min(step["step"] for step in steps))


def fill_memory(cluster: Cluster, jobs: Jobs, pod: Json) -> None:
    """Processes beside the trainer, each smaller than it, take what its limit leaves: the kernel kills the largest."""
    limit = pod["spec"]["containers"][0]["resources"]["limits"]["memory"]
    megabytes = int(limit.removesuffix("Mi"))
    hog = "import time; kept = b'x' * 150_000_000; time.sleep(60)"
    hogs = f'for i in $(seq {megabytes // 150 + 1}); do python3 -c "{hog}" & done; wait'
    where = ("--namespace", jobs.namespace)
    cluster.run("kubectl", "exec", pod["metadata"]["name"], *where, "--", "sh", "-c", hogs, check=False)
