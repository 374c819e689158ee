"""Conditions, as kstatus and GitOps tools read them."""

from datetime import timedelta

import pytest
from observed_jobs import (
    NOW,
    PREPARED,
    TRAINED,
    ago,
    attempt,
    complete,
    crashed,
    failure,
    new,
    observed,
    planned,
    pod,
    running,
    step,
)  # fmt: skip

from finetune_core.api.status import FineTuneJobStatus, Phase
from finetune_operator.decide import decide
from finetune_operator.decide.observed import Observed, Waiting
from finetune_operator.decide.story import clipped, told

TRIPLE = ("Ready", "Reconciling", "Stalled")
BEGUN = planned(attempt())
BY_PHASE: dict[Phase, Observed] = {
    "Pending": observed(preparations=(step("prepare"),)),
    "Preparing": observed(preparations=(running("prepare"),)),
    "Queued": observed(status=BEGUN, trainings=(step(),)),
    "Training": observed(status=BEGUN, trainings=(running(),)),
    "Succeeded": observed(status=BEGUN, trainings=(complete(TRAINED),)),
    "Failed": observed(status=BEGUN, trainings=(crashed(failure("Diverged")),)),
    "Suspended": observed("suspend=true", status=planned()),
}


def triple(status: FineTuneJobStatus) -> tuple[str, ...]:
    return tuple(condition.status for kind in TRIPLE if (condition := status.condition(kind)))


@pytest.mark.parametrize(
    ("phase", "wanted"),
    [
        ("Pending", ("False", "True", "False")),
        ("Preparing", ("False", "True", "False")),
        ("Queued", ("False", "True", "False")),
        ("Training", ("False", "True", "False")),
        ("Succeeded", ("True", "False", "False")),
        ("Failed", ("False", "False", "True")),
        ("Suspended", ("False", "False", "False")),
    ],
)
def test_each_phase_has_its_conditions(phase: Phase, wanted: tuple[str, ...]) -> None:
    status = decide(BY_PHASE[phase], NOW).status
    assert (status.phase, triple(status)) == (phase, wanted)
    assert {status.observed_generation, *(one.observed_generation for one in status.conditions)} == {2}
    assert (status.completion_time is not None) == (phase in ("Succeeded", "Failed"))


def test_a_condition_moves_only_when_its_answer_does() -> None:
    """Pending, Training and Succeeded, an hour apart."""
    preparing = decide(observed(), NOW).status
    later, end = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    training = told(observed(status=preparing, generation=3), later, "Training", "Training", "attempt 1 is training")
    done = told(observed(status=training, generation=4), end, "Succeeded", "Succeeded", "it is done")
    moved = [
        {one.type: one.last_transition_time for one in status.conditions} for status in (preparing, training, done)
    ]
    assert moved[0] == moved[1] == dict.fromkeys(TRIPLE, NOW)
    assert moved[2] == {"Ready": end, "Reconciling": end, "Stalled": NOW}
    assert [one.reason for one in training.conditions] == ["Training"] * 3
    assert [one.observed_generation for one in training.conditions] == [3] * 3
    assert (done.start_time, done.completion_time) == (NOW, end)


def test_the_same_again_is_no_change() -> None:
    """Else every look at a job would be a write."""
    seen = observed(status=BEGUN, trainings=(running(),))
    first = decide(seen, NOW).status
    assert decide(observed(status=first, trainings=(running(),)), NOW + timedelta(minutes=5)).status == first


@pytest.mark.parametrize(("length", "kept"), [(1_024, 1_024), (1_025, 1_024), (100_000, 1_024)])
def test_messages_are_clipped(length: int, kept: int) -> None:
    text = clipped("数" * length)
    assert (len(text), text.endswith("…")) == (kept, length > kept)


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(observed(spec=None, problem="x" * 5_000), id="an unreadable spec"),
        pytest.param(observed(status=BEGUN, trainings=(crashed(failure("Diverged", "x" * 4_000)),)), id="a failure"),
        pytest.param(observed(status=BEGUN, trainings=(crashed(failure("TrainerError", "x" * 4_000)),)), id="a retry"),
        pytest.param(
            observed(status=BEGUN, trainings=(crashed(failure("OutOfMemory", "x" * 4_000)),)), id="out of memory"
        ),
        pytest.param(
            observed(status=BEGUN, trainings=(step(pod=pod("Pending", waiting=Waiting("Busy", "x" * 5_000))),)),
            id="a pod that waits",
        ),
        pytest.param(
            observed(
                status=new(preparation=1), preparations=(crashed(failure("DatasetRefused", "x" * 4_000), "prepare"),)
            ),
            id="refused data",
        ),
        pytest.param(observed(status=new(preparation=1), preparations=(complete(PREPARED, "prepare"),)), id="a report"),
    ],
)
def test_a_status_is_within_what_the_api_server_takes(seen: Observed) -> None:
    status = decide(seen, NOW).status
    assert FineTuneJobStatus.model_validate_json(status.to_json()) == status


def test_a_finished_job_keeps_the_time_it_finished() -> None:
    status = planned(phase="Failed", completion_time=ago(100))
    assert decide(observed(status=status), NOW).status.completion_time == ago(100)
