"""Whether there is anything to do at all: deleted, finished, wrong, occupied and suspended jobs."""

from typing import Any

import pytest
from observed_jobs import (
    NOW,
    PLAN,
    TRAINED,
    ago,
    answer,
    attempt,
    complete,
    crashed,
    new,
    observed,
    planned,
    running,
    step,
    told,
)  # fmt: skip

from finetune_operator.decide import decide, deletion, output_occupied, specification, suspension, time_to_live
from finetune_operator.decide.decision import Policy, RemoveJob, StopStep
from finetune_operator.decide.observed import Observed
from finetune_operator.decide.specification import refused

DONE = {"phase": "Succeeded", "completion_time": ago(100)}
TTL = "ttlSecondsAfterFinished=3600"


def stop_of(number: int = 1) -> StopStep:
    return StopStep(step(number=number).name, step(number=number).uid)


@pytest.mark.parametrize(
    ("policy", "seen"),
    [
        pytest.param(deletion.decide, observed(), id="not being deleted"),
        pytest.param(time_to_live.decide, observed(TTL, status=planned(phase="Training")), id="not finished"),
        pytest.param(specification.decide, observed(), id="a spec like any"),
        pytest.param(output_occupied.decide, observed(), id="nobody else writes there"),
        pytest.param(suspension.decide, observed(), id="not suspended"),
    ],
)
def test_a_policy_passes_over_what_it_is_not_for(policy: Policy, seen: Observed) -> None:
    assert policy(seen, NOW) is None


def test_a_card_that_no_label_tells_from_others_wants_its_nodes_named() -> None:
    decision = decide(observed("gpu.type=RTX-3080-10GB"), NOW)
    assert (decision.status.phase, decision.actions) == ("Failed", ())
    assert decision.events[0].message == (
        "RTX-3080-10GB shares its node label with cards of another size: name its nodes by pod.nodeSelector"
    )
    assert decide(observed("gpu.type=RTX-3080-10GB", "pod.nodeSelector={pool: a}"), NOW).status.phase == "Pending"


def test_a_job_that_is_being_deleted_is_left_alone() -> None:
    seen = observed(status=planned(phase="Training"), trainings=(running(),), deleting=True)
    decision = decide(seen, NOW)
    assert (decision.status, decision.actions, decision.requeue_after) == (seen.status, (), None)


@pytest.mark.parametrize(
    ("changes", "finished_ago", "actions", "requeue_after"),
    [
        pytest.param([], 100, (), None, id="without a time to live it stays"),
        pytest.param([TTL], 100, (), 3500, id="it is looked at again when its time is up"),
        pytest.param([TTL], 3600, (RemoveJob(),), None, id="it is removed in its time"),
        pytest.param(["ttlSecondsAfterFinished=0"], 0, (RemoveJob(),), None, id="or at once"),
        pytest.param([TTL, "suspend=true"], 100, (), 3500, id="suspend is nothing to it"),
    ],
)
@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_finished_job_stays_as_it_is_until_its_time_is_up(
    changes: list[str], finished_ago: float, actions: tuple[Any, ...], requeue_after: float | None, phase: Any
) -> None:
    status = planned(attempt(outcome="Succeeded"), phase=phase, completion_time=ago(finished_ago))
    decision = decide(observed(*changes, status=status, trainings=(crashed(),)), NOW)
    assert decision.status == status.model_copy(update={"observed_generation": 2})
    assert (decision.actions, decision.requeue_after) == (actions, requeue_after)


def test_what_still_runs_of_a_finished_job_is_stopped() -> None:
    steps = (running(number=1, deleting=True), running(number=2))
    assert decide(observed(status=planned(**DONE), trainings=steps), NOW).actions == (stop_of(2),)


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        pytest.param(
            observed(spec=None, problem="spec.gpu: required, but not given"), "spec.gpu: required", id="unreadable"
        ),
        pytest.param(observed("gpu.type=A11"), "spec.gpu.type: unknown GPU 'A11'", id="unknown GPU"),
    ],
)
def test_a_spec_that_cannot_be_worked_with_ends_the_job(seen: Observed, message: str) -> None:
    decision = decide(seen, NOW)
    assert told(decision) == ("Failed", "InvalidSpec")
    assert decision.status.condition("Stalled").message.startswith(message)
    assert decision.actions == ()


@pytest.mark.parametrize(
    ("status", "wanted", "again"),
    [
        pytest.param(422, ("Failed", "InvalidSpec"), False, id="a mistake in the job is final"),
        pytest.param(403, ("Queued", "Forbidden"), True, id="a quota or a right may yet be given"),
    ],
)
def test_a_child_that_the_api_server_refuses(status: int, wanted: tuple[str, str], again: bool) -> None:
    decision = refused(observed(status=planned()), NOW, status, "exceeded quota: gpus")
    assert told(decision) == wanted
    assert decision.status.condition("Ready").message == "exceeded quota: gpus"
    assert (decision.requeue_after is not None) == again


def test_the_older_job_has_the_output_place() -> None:
    seen = observed(output_holder="team-b/first", trainings=(running(), complete(TRAINED, number=2)), status=planned())
    decision = decide(seen, NOW)
    assert told(decision) == ("Failed", "OutputOccupied")
    message = decision.status.condition("Stalled").message
    assert "team-b/first" in message
    assert "s3://models/support-bot" in message
    assert decision.actions == (stop_of(),)


@pytest.mark.parametrize(
    ("status", "trainings", "outcomes", "actions", "waits"),
    [
        pytest.param(new(), (), [], (), False, id="not begun"),
        pytest.param(planned(), (), [], (), False, id="between steps"),
        pytest.param(planned(attempt()), (running(),), ["Suspended"], (stop_of(),), True, id="training"),
        pytest.param(planned(), (running(),), ["Suspended"], (stop_of(),), True, id="a Job not in the status"),
        pytest.param(
            planned(attempt(outcome="Suspended")), (running(deleting=True),), ["Suspended"], (), True, id="stopping"
        ),
        pytest.param(planned(attempt(outcome="Suspended")), (), ["Suspended"], (), False, id="stopped"),
        pytest.param(planned(attempt(outcome="Failed")), (crashed(),), ["Failed"], (), False, id="after a fault"),
    ],
)  # fmt: skip
def test_a_suspended_job_stops_what_runs_and_starts_nothing(
    status: Any, trainings: tuple[Any, ...], outcomes: list[str], actions: tuple[Any, ...], waits: bool
) -> None:
    decision = decide(observed("suspend=true", status=status, trainings=trainings), NOW)
    assert told(decision) == ("Suspended", "Suspended")
    assert [one.outcome for one in decision.status.attempts] == outcomes
    assert decision.actions == actions
    assert (decision.requeue_after is not None) == waits


def test_a_suspended_preparation_is_stopped_too() -> None:
    preparation = running("prepare")
    decision = decide(observed("suspend=true", preparations=(preparation,)), NOW)
    assert decision.actions == (StopStep(preparation.name, preparation.uid),)
    assert told(decision) == ("Suspended", "Suspended")


def test_suspension_is_told_once() -> None:
    first = answer(suspension.decide, observed("suspend=true"))
    assert [event.reason for event in first.events] == ["Suspended"]
    assert answer(suspension.decide, observed("suspend=true", status=first.status)).events == ()


def test_a_suspended_job_whose_attempt_had_completed_succeeds() -> None:
    seen = observed("suspend=true", status=planned(attempt()), trainings=(complete(TRAINED),))
    assert told(decide(seen, NOW)) == ("Succeeded", "Succeeded")


def test_a_suspension_is_no_fault() -> None:
    """What was stopped is not judged again when it has ended, and the next attempt does not wait."""
    stopped = planned(attempt(outcome="Suspended"))
    seen = observed(status=stopped, trainings=(crashed(exit_code=143),))
    decision = decide(seen, NOW)
    assert (decision.status.retries, decision.status.disruptions) == (0, 0)
    assert [one.number for one in decision.status.attempts] == [1, 2]
    assert [action.plan for action in decision.actions] == [PLAN]
