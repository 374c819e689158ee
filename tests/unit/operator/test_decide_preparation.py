"""From a new job to a plan: preparation is started, waited for and judged, and then planned once."""

from datetime import timedelta
from typing import Any

import pytest
from observed_jobs import (
    INFEASIBLE,
    NAME,
    NOW,
    PLAN,
    PREPARE_REPORT,
    PREPARED,
    TRAINED,
    UID,
    answer,
    complete,
    crashed,
    evicted,
    failure,
    new,
    observed,
    planned,
    pod,
    running,
    step,
    told,
)  # fmt: skip

from finetune_core.planning import in_words
from finetune_operator.decide import decide, planning, preparation
from finetune_operator.decide.decision import Policy, StartPreparation
from finetune_operator.decide.numbers import child_name
from finetune_operator.decide.observed import Observed, Step, Waiting

PREPARING = {"phase": "Preparing", "preparation": 1}


@pytest.mark.parametrize(
    ("policy", "seen"),
    [
        pytest.param(preparation.judge, observed(), id="judge: nothing was prepared"),
        pytest.param(preparation.judge, observed(preparations=(running("prepare"),)), id="judge: it still runs"),
        pytest.param(
            preparation.judge,
            observed(status=planned(), preparations=(complete(PREPARED, "prepare"),)),
            id="judge: its report is known",
        ),
        pytest.param(
            preparation.judge,
            observed(status=new(preparation=2), preparations=(crashed(kind="prepare"),)),
            id="judge: it was judged, the next one counts",
        ),
        pytest.param(preparation.run, observed(status=planned()), id="run: it is done"),
        pytest.param(planning.decide, observed(), id="planning: nothing is prepared"),
        pytest.param(planning.decide, observed(status=planned()), id="planning: the plan stands"),
    ],
)
def test_a_policy_passes_over_what_it_is_not_for(policy: Policy, seen: Observed) -> None:
    assert policy(seen, NOW) is None


def test_a_new_job_is_prepared() -> None:
    decision = decide(observed(), NOW)
    assert decision.actions == (StartPreparation(1),)
    assert told(decision) == ("Pending", "WaitingForPod")
    assert decision.status.start_time == NOW
    assert [event.reason for event in decision.events] == ["Preparing"]


@pytest.mark.parametrize(
    ("found", "wanted", "message"),
    [
        pytest.param(
            step("prepare"), ("Pending", "WaitingForPod"), f"{NAME}-prepare-5b0f-1 waits for its pod", id="no pod yet"
        ),
        pytest.param(
            step("prepare", pod=pod("Pending", waiting=Waiting("Unschedulable", "0/3 nodes are available"))),
            ("Pending", "WaitingForPod"),
            f"{NAME}-prepare-5b0f-1 waits for its pod: Unschedulable: 0/3 nodes are available",
            id="a pod that says why it waits",
        ),
        pytest.param(
            step("prepare", held=True),
            ("Pending", "WaitingForPod"),
            f"{NAME}-prepare-5b0f-1 is held back by another controller, such as Kueue",
            id="in a queue",
        ),
        pytest.param(
            running("prepare"), ("Preparing", "Preparing"), "checking and tokenizing the data", id="a pod that runs"
        ),
    ],
)
def test_a_preparation_is_waited_for(found: Step, wanted: tuple[str, str], message: str) -> None:
    decision = decide(observed(preparations=(found,)), NOW)
    assert told(decision) == wanted
    assert decision.status.condition("Ready").message == message
    assert (decision.actions, decision.requeue_after, decision.status.preparation) == ((), 10.0, 1)


def test_taken_names_are_passed_over() -> None:
    taken = frozenset({child_name(NAME, UID, "prepare", 1), child_name(NAME, UID, "prepare", 2)})
    decision = decide(observed(taken=taken), NOW)
    assert decision.actions == (StartPreparation(3),)
    assert decision.status.preparation == 3


def test_a_report_is_kept_whole_and_told_for_people() -> None:
    decision = decide(observed(status=new(**PREPARING), preparations=(complete(PREPARED, "prepare"),)), NOW)
    status = decision.status
    assert status.prepare_report == PREPARED
    assert (status.dataset.rows, status.dataset.used_rows, status.dataset.rejected_rows) == (1_100, 1_050, 50)
    assert status.dataset.report_uri == f"s3://models/support-bot/.work/{UID}/prepared/dataset-report.json"
    assert status.condition("DatasetReady").status == "True"
    assert [event.message for event in decision.events] == ["1,050 of 1,100 rows are used, 0 of them for validation"]
    assert decision.requeue_after == 0


@pytest.mark.parametrize(
    ("changes", "found", "wanted", "counted"),
    [
        pytest.param(
            [], crashed(failure("DatasetRefused"), "prepare"), ("Failed", "DatasetRefused"), (0, 0), id="bad data"
        ),
        pytest.param(
            [], crashed(failure("SecretMissing"), "prepare"), ("Failed", "SecretMissing"), (0, 0), id="no Secret"
        ),
        pytest.param(
            [], crashed(failure("ModelUnavailable"), "prepare"), ("Pending", "ModelUnavailable"), (1, 0), id="hub down"
        ),
        pytest.param([], crashed(kind="prepare"), ("Pending", "TrainerError"), (1, 0), id="crash"),
        pytest.param([], complete("{}", "prepare"), ("Pending", "TrainerError"), (1, 0), id="garbage"),
        pytest.param([], complete(TRAINED, "prepare"), ("Pending", "TrainerError"), (1, 0), id="another report"),
        pytest.param([], evicted("prepare"), ("Pending", "Disrupted"), (0, 1), id="eviction"),
        pytest.param(
            ["failurePolicy.maxRetries=0"], crashed(kind="prepare"), ("Failed", "TrainerError"), (0, 0), id="no retries"
        ),
        pytest.param(
            ["failurePolicy.maxDisruptions=0"], evicted("prepare"), ("Failed", "Disrupted"), (0, 0), id="no disruptions"
        ),
    ],
)  # fmt: skip
def test_a_preparation_without_a_report_is_final_or_made_again(
    changes: list[str], found: Step, wanted: tuple[str, str], counted: tuple[int, int]
) -> None:
    decision = decide(observed(*changes, status=new(**PREPARING), preparations=(found,)), NOW)
    status = decision.status
    assert told(decision) == wanted
    assert (status.retries, status.disruptions) == counted
    if status.phase == "Failed":
        assert (status.condition("DatasetReady").status, status.condition("DatasetReady").reason) == (
            "False",
            wanted[1],
        )
    else:
        wait = 10 if status.retries and found.result == "Failed" else 0
        waiting = [decide(observed(*changes, status=status, preparations=(found,)), NOW + timedelta(seconds=at))
                   for at in (wait - 1, wait)]  # fmt: skip
        assert [after.actions for after in waiting[not wait :]] == [(), (StartPreparation(2),)][not wait :]


def test_a_preparation_that_vanished_is_made_again() -> None:
    assert decide(observed(status=new(**PREPARING)), NOW).actions == (StartPreparation(1),)


def test_planning_writes_the_plan_and_says_what_it_is() -> None:
    decision = decide(observed(status=planned(plan=None, phase="Preparing")), NOW)
    assert decision.status.plan == PLAN
    assert told(decision) == ("Queued", "Planned")
    message = decision.status.condition("Planned").message
    assert decision.status.condition("Planned").status == "True"
    assert message.startswith("lora ")
    assert "on A10: 189 steps of 16 rows" in message
    assert PLAN.estimate is not None
    assert message.endswith(f"about {in_words(PLAN.estimate.seconds)} and {PLAN.estimate.cost:.2f} USD")
    assert "learning rate 5e-05" in message
    assert decision.events[0].reason == "Planned"


def test_a_plan_knows_how_fast_the_store_is() -> None:
    report = PREPARE_REPORT.model_copy(update={"storage_bytes_per_second": 1_000_000})
    decision = decide(observed(status=planned(plan=None, prepare_report=report.to_json())), NOW)
    assert PLAN.pod.store_seconds < 70
    assert decision.status.plan.pod.store_seconds > 300
    assert "at 0.5 MB/s (50 % of what the preparation measured)" in decision.status.plan.why("pod.storeSeconds")


def test_a_job_that_no_plan_fits_fails_and_names_what_would() -> None:
    decision = decide(observed("gpu.type=RTX-3070", status=planned(plan=None)), NOW)
    assert told(decision) == ("Failed", "Infeasible")
    assert decision.status.plan == INFEASIBLE
    assert decision.status.condition("Planned").status == "False"
    assert INFEASIBLE.alternatives[0].change in decision.status.condition("Stalled").message
    assert decision.actions == ()


def test_warnings_of_the_plan_are_events() -> None:
    seen = observed("gpu.type=H100", "method=full", status=planned(plan=None))
    decision = answer(planning.decide, seen)
    warned = [event.message for event in decision.events if event.reason == "PlanWarning"]
    assert warned == [warning.message for warning in decision.status.plan.warnings]


def suspended_while_preparing(**fields: Any) -> Observed:
    suspend = ["suspend=true", "failurePolicy.maxDisruptions=0"]
    runs = observed(*suspend, preparations=(running("prepare"),), status=new(phase="Preparing", preparation=1))
    stopped = step("prepare", result="Failed", deleting=True, pod=pod("Failed", exit_code=143))
    return observed(*suspend, preparations=(stopped,), status=decide(runs, NOW).status, **fields)


def test_a_preparation_stopped_by_suspension_is_no_disruption() -> None:
    decision = decide(suspended_while_preparing(), NOW)
    assert (decision.status.phase, decision.status.disruptions) == ("Suspended", 0)
