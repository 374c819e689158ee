"""The operator is killed, cut off or lied to; jobs go on as if nothing had happened."""

import itertools
import time
from dataclasses import replace

import pytest

from control_plane import Json, wait_for
from faulty_api import Fault, FaultyApi, Write
from operator_jobs import GOOD_PREPARATION, Jobs, Script, job, trained
from operator_process import LEASE_SECONDS, OperatorProcess, Operators


def assert_done_once(jobs: Jobs, script: Script) -> Json:
    """The job has succeeded, and nothing of it was done twice."""
    status = jobs.status()
    assert status["phase"] == "Succeeded", jobs.reason()
    assert script.kinds() == [("prepare", 1), ("train", 1)]
    assert [attempt["outcome"] for attempt in status["attempts"]] == ["Succeeded"]
    assert (status["retries"], status["disruptions"]) == (0, 0)
    told = [(event["reason"], event["message"]) for event in jobs.events()]
    assert len(told) == len(set(told)), f"told twice: {told}"
    return status


def started_again_until_succeeded(operator: OperatorProcess, jobs: Jobs, seconds: float = 60) -> int:
    """Start the operator whenever it has ended, as kubelet would, until the job is done; how often that was."""
    times = 0

    def succeeded() -> bool:
        nonlocal times
        if not operator.running:
            times += 1
            operator.start()
        return jobs.status().get("phase") == "Succeeded"

    wait_for(succeeded, seconds)
    return times


@pytest.mark.parametrize("every", [1, 2, 3], ids=["every-write", "every-second-write", "every-third-write"])
def test_killed_after(every: int, operators: Operators, api: FaultyApi, jobs: Jobs, script: Script) -> None:
    operator = operators(api=api)

    def kill(write: Write) -> None:
        if write.number % every == 0:
            operator.kill()

    api.after_write = kill
    jobs.apply(job())
    assert started_again_until_succeeded(operator, jobs) >= 5
    assert api.created("jobs") == 2
    assert_done_once(jobs, script)


def test_down_while_the_steps_finish(operators: Operators, jobs: Jobs, script: Script) -> None:
    script.preparations[1] = replace(GOOD_PREPARATION, seconds=1)
    operator = operators().start()
    jobs.apply(job())
    for kind in ("prepare", "train"):
        jobs.running_pod(kind)
        operator.kill()
        wait_for(lambda kind=kind: "completionTime" in jobs.children(kind)[0]["status"])
        operator.start()
    jobs.wait_for_phase("Succeeded")
    assert_done_once(jobs, script)


FAULTS = (
    Fault(409, "Conflict"),
    Fault(429, "TooManyRequests", retry_after=1),
    Fault(500, "InternalError"),
    Fault(500, "InternalError", written=True),
)


@pytest.mark.parametrize("first", range(3))
def test_every_third_write_fails(first: int, operators: Operators, api: FaultyApi, jobs: Jobs, script: Script) -> None:
    faults = itertools.cycle(FAULTS)
    api.fault = lambda number: next(faults) if number % 3 == first else None
    operators(api=api).start()
    jobs.apply(job())
    jobs.wait_for_phase("Succeeded", seconds=60)
    assert api.faults >= len(FAULTS)
    assert api.created("jobs") == 2
    assert_done_once(jobs, script)


def test_a_watch_that_fails_ends_the_process(operators: Operators, api: FaultyApi, jobs: Jobs) -> None:
    operator = operators(api=api).start().wait_until_leading()
    wait_for(lambda: api.watches("pods"))
    failed = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 500, "reason": "InternalError"}
    api.say_on_watch("pods", {"type": "ERROR", "object": failed})
    assert operator.wait_for_exit(10) == 1
    operator.start().wait_until_leading(LEASE_SECONDS)


def test_a_cut_connection_is_made_anew(operators: Operators, api: FaultyApi, jobs: Jobs, script: Script) -> None:
    operator = operators(api=api).start().wait_until_leading()
    wait_for(lambda: api.watches("finetunejobs"))
    api.cut()
    jobs.apply(job())
    jobs.wait_for_phase("Training")
    api.cut()
    jobs.wait_for_phase("Succeeded")
    assert operator.running
    assert_done_once(jobs, script)


def test_the_api_server_restarts_during_training(operators: Operators, jobs: Jobs, script: Script) -> None:
    script.trainings[1] = lambda config: trained(config, seconds=3)
    operator = operators().start()
    jobs.apply(job())
    jobs.wait_for_phase("Training")
    jobs.plane.stop_api_server()
    try:
        time.sleep(LEASE_SECONDS)  # long enough to lose the Lease
    finally:
        jobs.plane.start_api_server()
    started_again_until_succeeded(operator, jobs)
    assert_done_once(jobs, script)


class TestOfTwoReplicas:
    @pytest.fixture
    def replicas(self, operators: Operators, jobs: Jobs) -> tuple[OperatorProcess, OperatorProcess]:
        """One that leads, and one that waits."""
        leader = operators("operator-0").start().wait_until_leading()
        other = operators("operator-1").start()
        wait_for(lambda: other.running and "jobs are there" in other.log)
        return leader, other

    def test_one_leads_and_the_other_takes_over(
        self, replicas: tuple[OperatorProcess, OperatorProcess], jobs: Jobs, script: Script
    ) -> None:
        leader, other = replicas
        script.trainings[1] = lambda config: trained(config, seconds=2 * LEASE_SECONDS)
        jobs.apply(job())
        jobs.wait_for_phase("Training")
        assert (leader.values()["finetune_leader"], other.values()["finetune_leader"]) == (1, 0)
        assert "finetune_jobs{" in leader.metrics()
        assert "finetune_jobs{" not in other.metrics()
        leader.kill()
        other.wait_until_leading(LEASE_SECONDS + 2)
        jobs.wait_for_phase("Succeeded")
        assert_done_once(jobs, script)

    def test_a_leader_that_is_asked_to_stop_hands_over(
        self, replicas: tuple[OperatorProcess, OperatorProcess], jobs: Jobs
    ) -> None:
        leader, other = replicas
        asked = time.monotonic()
        leader.terminate()
        other.wait_until_leading(2)
        assert leader.wait_for_exit(10) == 0
        assert time.monotonic() - asked < 10
        wait_for(lambda: other.leads)
