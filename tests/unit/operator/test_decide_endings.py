"""How an attempt ended: what it is called, and what the job does then."""

from datetime import timedelta
from typing import Any

import pytest
from observed_jobs import (
    NAME,
    NOW,
    PLAN,
    PREPARED,
    RUN_REPORT,
    TRAINED,
    UID,
    ago,
    answer,
    attempt,
    complete,
    crashed,
    evicted,
    failure,
    observed,
    planned,
    pod,
    running,
    step,
    told,
)  # fmt: skip

from finetune_core.api.status import DatasetStatus, Lengths, ProgressStatus
from finetune_operator.decide import completion, decide, disruption, out_of_memory
from finetune_operator.decide import failure as failures
from finetune_operator.decide.decision import Policy, StartTraining
from finetune_operator.decide.ending import Ending, ending
from finetune_operator.decide.observed import Observed, Pod, Step

# As a Job controller of Kubernetes 1.36 writes them.
BACKOFF = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
STOPPED = (
    "PodFailurePolicy",
    "Container trainer for pod NS/POD failed with exit code 143 matching FailJob rule at index 1",
)
TAKEN = ("PodFailurePolicy", "Pod NS/POD has condition DisruptionTarget matching FailJob rule at index 0")
TOO_LONG = ("DeadlineExceeded", "Job was active longer than specified deadline")


def ended_pod(**fields: Any) -> Pod:
    return pod("Failed", **{"exit_code": 1, **fields})


@pytest.mark.parametrize(
    ("condition", "of_pod", "kind", "reason", "message"),
    [
        pytest.param(BACKOFF, ended_pod(), "failed", "TrainerError", "with exit code 1", id="crash"),
        pytest.param(BACKOFF, None, "failed", "TrainerError", BACKOFF[1], id="crash, pod gone"),
        pytest.param(
            BACKOFF, ended_pod(answer=failure("Diverged", "the loss is NaN")), "failed", "Diverged", "the loss is NaN",
            id="the trainer said why",
        ),
        pytest.param(
            BACKOFF, ended_pod(answer=failure("UploadFailed", "file:///var/run/finetune/claims/data/out is full")),
            "failed", "UploadFailed", "pvc://data/out is full", id="a claim is called as the person wrote it",
        ),
        pytest.param(BACKOFF, ended_pod(answer="Killed"), "failed", "TrainerError", "exit code 1", id="no JSON"),
        pytest.param(
            BACKOFF, ended_pod(exit_code=137, out_of_memory=True), "failed", "OutOfMemory", "memory limit",
            id="killed by the kernel",
        ),
        pytest.param(STOPPED, None, "disrupted", "Disrupted", "exit code 143", id="asked to stop, pod gone"),
        pytest.param(
            STOPPED, ended_pod(exit_code=143), "disrupted", "Disrupted", "exit code 143", id="asked to stop"
        ),
        pytest.param(BACKOFF, ended_pod(exit_code=143), "disrupted", "Disrupted", "asked to stop", id="143 in the pod"),
        pytest.param(TAKEN, None, "disrupted", "Disrupted", "DisruptionTarget", id="evicted, pod gone"),
        pytest.param(
            TAKEN, ended_pod(exit_code=137, disruption="preempted by team-b/x"), "disrupted", "Disrupted",
            "preempted by team-b/x", id="preempted, in the scheduler's words",
        ),
        pytest.param(
            BACKOFF, ended_pod(disruption="node was drained", answer=failure("TrainerError")), "disrupted",
            "Disrupted", "node was drained", id="what it said while it was taken away does not count",
        ),
        pytest.param(TOO_LONG, ended_pod(exit_code=143), "failed", "DeadlineExceeded", TOO_LONG[1], id="too long"),
        pytest.param(
            ("PodFailurePolicy", STOPPED[1].replace("143", "1430")), ended_pod(), "failed", "TrainerError", "1430",
            id="another exit code that begins like it",
        ),
    ],
)  # fmt: skip
def test_a_failed_job_is_called_by_its_cause(
    condition: tuple[str, str], of_pod: Pod | None, kind: str, reason: str, message: str
) -> None:
    end = ending(step(result="Failed", reason=condition[0], message=condition[1], pod=of_pod))
    assert end is not None
    assert (end.kind, end.reason) == (kind, reason)
    assert message in end.message


@pytest.mark.parametrize(
    ("found", "end"),
    [
        pytest.param(running(), None, id="it runs"),
        pytest.param(step(pod=ended_pod()), None, id="its pod has ended, the Job says nothing yet"),
        pytest.param(complete(TRAINED), Ending("answered", answer=TRAINED), id="its answer"),
        pytest.param(
            step(result="Complete"),
            Ending("failed", "TrainerError", f"{NAME}-train-5b0f-1 finished, but its answer was lost with its pod"),
            id="its pod is gone, and its answer with it",
        ),
    ],
)
def test_a_job_that_did_not_fail(found: Step, end: Ending | None) -> None:
    assert ending(found) == end


@pytest.mark.parametrize("reason", ["x" * 200, "", "two words"])
def test_a_reason_that_is_none_of_the_contract_is_a_trainer_error(reason: str) -> None:
    decision = decide(observed(status=planned(attempt()), trainings=(crashed(failure(reason)),)), NOW)
    assert told(decision) == ("Queued", "TrainerError")


WITHOUT_MODEL = RUN_REPORT.model_copy(update={"artifact": None}).to_json()
ATTEMPT_POLICIES = [completion.decide, disruption.decide, out_of_memory.decide, failures.decide]
NOTHING_ENDED = [
    pytest.param(observed(), id="nothing was started"),
    pytest.param(observed(status=planned(attempt()), trainings=(running(),)), id="it runs"),
    pytest.param(observed(status=planned(attempt(outcome="Failed")), trainings=(crashed(),)), id="it was judged"),
]


@pytest.mark.parametrize("policy", ATTEMPT_POLICIES, ids=lambda policy: policy.__module__.rpartition(".")[2])
@pytest.mark.parametrize("seen", NOTHING_ENDED)
def test_nothing_is_judged_twice_or_too_early(policy: Policy, seen: Observed) -> None:
    assert policy(seen, NOW) is None


@pytest.mark.parametrize(
    ("found", "judge"),
    [
        pytest.param(complete(TRAINED), completion.decide, id="a model"),
        pytest.param(evicted(), disruption.decide, id="an eviction"),
        pytest.param(crashed(failure("OutOfMemory")), out_of_memory.decide, id="out of memory"),
        pytest.param(complete(PREPARED), failures.decide, id="another report"),
        pytest.param(complete(WITHOUT_MODEL), failures.decide, id="no model"),
        pytest.param(crashed(), failures.decide, id="a crash"),
    ],
)  # fmt: skip
def test_each_ending_has_its_policy(found: Step, judge: Policy) -> None:
    seen = observed(status=planned(attempt()), trainings=(found,))
    first = next(policy for policy in ATTEMPT_POLICIES if policy(seen, NOW) is not None)
    assert first is judge


DATASET = DatasetStatus(
    rows=1_000, used_rows=1_000, rejected_rows=0, validation_rows=100, tokens=10, supervised_tokens=5,
    length_percentiles=Lengths(p50=1, p95=1, p99=1, max=1), report_uri="s3://models/support-bot/.work/x",
)  # fmt: skip
PROGRESS = ProgressStatus(
    step=180, total_steps=189, steps="180/189", epoch=2.9, eta_seconds=12, eta="12s", updated_at=ago(5)
)


@pytest.mark.parametrize(
    ("uri", "place"),
    [("s3://models/support-bot/", "s3://models/support-bot"), ("pvc://models/support-bot", "pvc://models/support-bot")],
)
def test_a_finished_model_is_told_where_the_person_wrote_it_to(uri: str, place: str) -> None:
    status = planned(attempt(), phase="Training", dataset=DATASET, progress=PROGRESS)
    decision = decide(observed(f"output.uri={uri}", status=status, trainings=(complete(TRAINED),)), NOW)
    after = decision.status
    assert told(decision) == ("Succeeded", "Succeeded")
    assert (after.artifact.uri, after.artifact.report_uri) == (place, f"{place}/report.html")
    assert (after.artifact.manifest_sha256, after.artifact.method) == ("a" * 64, "lora")
    assert (after.dataset.truncated_rows, after.dataset.report_uri) == (3, f"{place}/dataset-report.json")
    assert (after.progress.steps, after.progress.loss, after.progress.eval_loss) == ("189/189", 0.5123, 0.75)
    assert (after.progress.eta, after.progress.eta_seconds) == (None, None)
    assert (after.attempts[-1].outcome, after.attempts[-1].end_time) == ("Succeeded", NOW)
    wanted = f"189 steps, loss 0.5123, validation loss 0.75 (before: 2.5); the model lies at {place}"
    assert [event.message for event in decision.events] == [wanted]


@pytest.mark.parametrize(
    ("pushed", "problem", "said"),
    [
        (True, None, "the model lies at s3://models/support-bot, and at hf://org/name"),
        (False, "the hub answered 401", "the model lies at s3://models/support-bot; not pushed: the hub answered 401"),
    ],
)
def test_a_job_succeeds_and_says_whether_its_model_was_pushed(pushed: bool, problem: str | None, said: str) -> None:
    answer = RUN_REPORT.model_copy(update={"pushed": pushed, "push_problem": problem}).to_json()
    status = planned(attempt(), phase="Training", dataset=DATASET, progress=PROGRESS)
    decision = decide(observed("output.push=hf://org/name", status=status, trainings=(complete(answer),)), NOW)
    assert told(decision) == ("Succeeded", "Succeeded")
    assert decision.events[0].message.endswith(said)


def test_after_a_disruption_the_next_attempt_starts_at_once() -> None:
    first = decide(observed(status=planned(attempt()), trainings=(evicted(),)), NOW)
    assert told(first) == ("Queued", "Disrupted")
    assert (first.status.disruptions, first.status.retries) == (1, 0)
    assert first.status.attempts[-1].outcome == "Disrupted"
    assert decide(observed(status=first.status, trainings=(evicted(),)), NOW).actions == (StartTraining(2, PLAN),)


def test_an_attempt_whose_job_vanished_was_disrupted() -> None:
    decision = decide(observed(status=planned(attempt(3))), NOW)
    assert told(decision) == ("Queued", "Disrupted")
    assert decision.status.attempts[-1].message == "the Job of attempt 3 was deleted"


@pytest.mark.parametrize(("before", "phase"), [(0, "Queued"), (1, "Queued"), (2, "Failed")])
def test_disruptions_are_limited(before: int, phase: str) -> None:
    status = planned(attempt(), disruptions=before)
    seen = observed("failurePolicy.maxDisruptions=2", status=status, trainings=(evicted(),))
    assert told(decide(seen, NOW)) == (phase, "Disrupted")


@pytest.mark.parametrize(
    ("changes", "micro_batch", "wanted", "next_micro_batch"),
    [
        pytest.param([], 4, ("Queued", "OutOfMemory"), 2, id="half the micro-batch"),
        pytest.param([], 1, ("Failed", "OutOfMemory"), None, id="one row is the least"),
        pytest.param(["failurePolicy.onOutOfMemory=fail"], 4, ("Failed", "OutOfMemory"), None, id="not wanted"),
        pytest.param(["failurePolicy.maxRetries=0"], 4, ("Failed", "OutOfMemory"), None, id="no retries"),
    ],
)  # fmt: skip
def test_out_of_memory_takes_smaller_bites_of_the_same_batch(
    changes: list[str], micro_batch: int, wanted: tuple[str, str], next_micro_batch: int | None
) -> None:
    effective = PLAN.hyperparameters.effective_batch_size
    sizes = {"micro_batch_size": micro_batch, "gradient_accumulation_steps": effective // micro_batch}
    plan = PLAN.model_copy(update={"hyperparameters": PLAN.hyperparameters.model_copy(update=sizes)})
    found = crashed(failure("OutOfMemory", "the card is full"))
    first = decide(observed(*changes, status=planned(attempt(), plan=plan), trainings=(found,)), NOW)
    assert told(first) == wanted
    assert first.status.attempts[-1].reason == "OutOfMemory"
    if next_micro_batch is None:
        assert first.status.plan == plan
        return
    second = decide(observed(*changes, status=first.status, trainings=(found,)), NOW.replace(hour=13))
    settings = second.actions[0].plan.hyperparameters
    assert (settings.micro_batch_size, settings.effective_batch_size) == (next_micro_batch, effective)
    assert settings.micro_batch_size * settings.gradient_accumulation_steps == effective
    assert [one.micro_batch_size for one in second.status.attempts] == [micro_batch, next_micro_batch]


@pytest.mark.parametrize(
    ("changes", "reason", "phase"),
    [
        pytest.param([], "TrainerError", "Queued", id="a crash is tried again"),
        pytest.param([], "UploadFailed", "Queued", id="an upload is tried again"),
        pytest.param(["failurePolicy.maxRetries=0"], "TrainerError", "Failed", id="unless nothing is"),
        *(
            pytest.param([], reason, "Failed", id=f"{reason} would only come again")
            for reason in ("Diverged", "OutputOccupied", "SecretMissing", "DatasetRefused", "InvalidSpec")
        ),
    ],
)
def test_a_fault_is_tried_again_where_that_can_help(changes: list[str], reason: str, phase: str) -> None:
    seen = observed(*changes, status=planned(attempt()), trainings=(crashed(failure(reason, "this is why")),))
    decision = decide(seen, NOW)
    assert told(decision) == (phase, reason)
    last = decision.status.attempts[-1]
    assert (last.outcome, last.reason, last.message) == ("Failed", reason, "this is why")
    assert decision.actions == ()


@pytest.mark.parametrize(("retries", "wait"), [(1, 10), (2, 20), (3, 40), (5, 160), (6, 300), (100, 300), (5_000, 300)])
def test_retries_back_off(retries: int, wait: float) -> None:
    seen = observed("failurePolicy.maxRetries=100", status=planned(attempt(retries, "Failed"), retries=retries))
    first, almost, after = (decide(seen, NOW + timedelta(seconds=seconds)) for seconds in (0, wait - 1, wait))
    assert (first.actions, first.requeue_after) == ((), wait)
    assert (almost.actions, almost.requeue_after) == ((), 1)
    assert after.actions == (StartTraining(retries + 1, PLAN),)


def test_retries_are_limited() -> None:
    seen = observed(status=planned(attempt(4), retries=3), trainings=(crashed(number=4),))
    assert told(decide(seen, NOW)) == ("Failed", "TrainerError")


def test_a_job_that_goes_on_after_suspension_is_not_called_suspended_while_its_retry_waits() -> None:
    seen = observed(status=planned(attempt(1, "Failed"), retries=1, phase="Suspended", observed_generation=1))
    decision = decide(seen, NOW)
    assert (decision.status.phase, decision.status.observed_generation) == ("Queued", 2)


def test_what_ended_is_recorded_even_if_its_start_was_not() -> None:
    """Killed between the Job's creation and the status."""
    decision = answer(failures.decide, observed(status=planned(), trainings=(crashed(),)))
    assert [(one.number, one.outcome, one.start_time) for one in decision.status.attempts] == [(1, "Failed", ago(60))]


def test_the_newest_ten_attempts_are_kept() -> None:
    status = planned(*(attempt(number, "Disrupted") for number in range(1, 11)), disruptions=10)
    started = decide(observed(status=status), NOW)
    assert [one.number for one in started.status.attempts] == list(range(2, 12))
    assert decide(observed(status=started.status, uid=UID), NOW).status.attempts[-1].outcome == "Disrupted"
