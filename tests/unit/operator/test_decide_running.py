"""What runs, waits or hangs: one attempt at a time, watched, and given up in time."""

from typing import Any

import pytest
from observed_jobs import (
    NAME,
    NOW,
    PLAN,
    UID,
    ago,
    answer,
    attempt,
    crashed,
    log,
    new,
    observed,
    planned,
    pod,
    running,
    step,
    told,
)  # fmt: skip

from finetune_operator.decide import attempt as attempts
from finetune_operator.decide import decide, no_progress, pending
from finetune_operator.decide.decision import Policy, StartTraining, StopStep
from finetune_operator.decide.numbers import child_name
from finetune_operator.decide.observed import Observed, Step, StepKind, Waiting
from finetune_operator.decide.progress import for_people

HOUR = "failurePolicy.pendingDeadlineSeconds=3600"
STARTED = planned(attempt())
TRAIN = f"{NAME}-train-5b0f-1"


def waiting(reason: str, message: str, **fields: Any) -> Step:
    return step(pod=pod("Pending", waiting=Waiting(reason, message)), **fields)


@pytest.mark.parametrize(
    ("policy", "seen"),
    [
        pytest.param(pending.decide, observed(), id="pending: nothing was started"),
        pytest.param(
            pending.decide,
            observed(HOUR, status=STARTED, trainings=(step(created_at=ago(3599)),)),
            id="pending: not yet",
        ),
        pytest.param(
            pending.decide,
            observed(HOUR, status=STARTED, trainings=(running(created_at=ago(9999)),)),
            id="pending: it runs",
        ),
        pytest.param(
            pending.decide,
            observed(HOUR, status=STARTED, trainings=(step(created_at=ago(9999), deleting=True),)),
            id="pending: is being deleted",
        ),
        pytest.param(
            pending.decide,
            observed(HOUR, status=STARTED, trainings=(step(created_at=ago(9999), held=True),)),
            id="pending: is held back in a queue",
        ),
        pytest.param(no_progress.decide, observed(log=log(9999)), id="no progress: nothing runs"),
        pytest.param(
            no_progress.decide, observed(status=STARTED, trainings=(running(),)), id="no progress: no log could be read"
        ),
        pytest.param(
            no_progress.decide,
            observed(status=STARTED, trainings=(running(),), log=log(899)),
            id="no progress: not yet",
        ),
    ],
)  # fmt: skip
def test_a_policy_passes_over_what_it_is_not_for(policy: Policy, seen: Observed) -> None:
    assert policy(seen, NOW) is None


@pytest.mark.parametrize(
    ("of_pod", "reason", "message"),
    [
        pytest.param(None, "Unschedulable", "no pod was made for it", id="no pod"),
        pytest.param(pod("Pending"), "Unschedulable", "its pod is still pending", id="no word"),
        pytest.param(
            pod("Pending", waiting=Waiting("Unschedulable", "0/3 nodes are available")), "Unschedulable",
            "Unschedulable: 0/3 nodes are available", id="no node",
        ),
        pytest.param(
            pod("Pending", waiting=Waiting("ImagePullBackOff", "manifest unknown")), "ImagePullFailed",
            "ImagePullBackOff: manifest unknown", id="no image",
        ),
        pytest.param(
            pod("Pending", waiting=Waiting("FailedMount", 'secret "hub" not found')), "SecretMissing",
            'secret "hub" not found', id="no Secret",
        ),
        pytest.param(
            pod("Pending", waiting=Waiting("FailedMount", 'volume "a" : configmap "secrets" not found')),
            "DatasetUnavailable", 'configmap "secrets" not found', id="no ConfigMap",
        ),
        pytest.param(
            pod("Pending", waiting=Waiting("FailedMount", "configmap references non-existent config key: rows.jsonl")),
            "DatasetUnavailable", "non-existent config key: rows.jsonl", id="no key in the ConfigMap",
        ),
        pytest.param(
            pod("Pending", waiting=Waiting("FailedMount", 'volume "a" : secret "configmap" not found')),
            "SecretMissing", 'secret "configmap" not found', id="no Secret, oddly named",
        ),
        pytest.param(
            pod("Pending", waiting=Waiting("FailedMount", "volume is busy")), "Unschedulable", "volume is busy",
            id="no volume",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["prepare", "train"])
def test_a_pod_that_cannot_start_is_not_waited_for_for_ever(
    kind: StepKind, of_pod: Any, reason: str, message: str
) -> None:
    stuck = step(kind, created_at=ago(3600), pod=of_pod)
    steps = {"preparations": (stuck,)} if kind == "prepare" else {"trainings": (stuck,)}
    status = new(preparation=1) if kind == "prepare" else STARTED
    decision = decide(observed(HOUR, status=status, **steps), NOW)
    assert told(decision) == ("Failed", reason)
    assert message in decision.status.condition("Stalled").message
    assert decision.actions == (StopStep(stuck.name, stuck.uid),)
    assert [(one.outcome, one.reason) for one in decision.status.attempts] == [("Failed", reason)] * (kind == "train")


def test_a_trainer_that_says_nothing_is_stopped_and_tried_again() -> None:
    hung = running()
    first = decide(observed(status=STARTED, trainings=(hung,), log=log(900)), NOW)
    assert told(first) == ("Queued", "NoProgress")
    assert first.actions == (StopStep(hung.name, hung.uid),)
    assert (first.status.retries, first.status.attempts[-1].outcome) == (1, "Failed")

    later = NOW.replace(hour=13)
    stopping = decide(observed(status=first.status, trainings=(running(deleting=True),)), later)
    assert told(stopping) == ("Queued", "Stopping")
    assert (stopping.actions, stopping.requeue_after) == ((), 10.0)
    assert decide(observed(status=stopping.status), later).actions == (StartTraining(2, PLAN),)


@pytest.mark.parametrize(
    ("changes", "retries", "phase"),
    [([], 2, "Queued"), ([], 3, "Failed"), (["failurePolicy.maxRetries=0"], 0, "Failed")],
)
def test_no_progress_counts_as_a_retry(changes: list[str], retries: int, phase: str) -> None:
    seen = observed(*changes, status=planned(attempt(), retries=retries), trainings=(running(),), log=log(900))
    assert told(decide(seen, NOW)) == (phase, "NoProgress")
    assert len(decide(seen, NOW).actions) == 1


def test_a_planned_job_starts_its_first_attempt() -> None:
    decision = decide(observed(status=planned()), NOW)
    assert decision.actions == (StartTraining(1, PLAN),)
    assert told(decision) == ("Queued", "WaitingForPod")
    last = decision.status.attempts[-1]
    assert PLAN.hyperparameters is not None
    told_of = (last.number, last.method, last.micro_batch_size, last.start_time, last.outcome)
    assert told_of == (1, "lora", PLAN.hyperparameters.micro_batch_size, NOW, None)


def test_taken_names_are_passed_over() -> None:
    taken = frozenset({child_name(NAME, UID, "train", 1)})
    decision = decide(observed(status=planned(), taken=taken), NOW)
    assert decision.actions == (StartTraining(2, PLAN),)
    assert decision.status.attempts[-1].number == 2


def test_a_job_that_the_status_knows_nothing_of_is_not_started_twice() -> None:
    """Killed after the train Job was created and before the status was written."""
    decision = decide(observed(status=planned(), trainings=(running(),)), NOW)
    assert decision.actions == ()
    assert [(one.number, one.start_time) for one in decision.status.attempts] == [(1, ago(60))]


def test_the_next_attempt_has_a_number_that_no_job_had() -> None:
    """The status was lost; Jobs of attempts that had ended are still there."""
    seen = observed(status=planned(attempt(2, "Suspended")), trainings=(crashed(number=1), crashed(number=2)))
    assert decide(seen, NOW).actions == (StartTraining(3, PLAN),)


@pytest.mark.parametrize(
    ("found", "wanted", "message"),
    [
        pytest.param(step(), ("Queued", "WaitingForPod"), f"{TRAIN} waits for its pod", id="no pod"),
        pytest.param(
            waiting("Unschedulable", "no GPU is free"), ("Queued", "WaitingForPod"),
            f"{TRAIN} waits for its pod: Unschedulable: no GPU is free", id="no node",
        ),
        pytest.param(
            step(held=True), ("Queued", "WaitingForPod"),
            f"{TRAIN} is held back by another controller, such as Kueue", id="in a queue",
        ),
        pytest.param(running(), ("Training", "Training"), "attempt 1 is training", id="it runs"),
        pytest.param(
            step(pod=pod("Succeeded")), ("Training", "Training"), "attempt 1 is training",
            id="its pod has ended, its Job is about to",
        ),
    ],
)  # fmt: skip
def test_an_attempt_is_watched(found: Step, wanted: tuple[str, str], message: str) -> None:
    decision = decide(observed(status=STARTED, trainings=(found,)), NOW)
    assert told(decision) == wanted
    assert decision.status.condition("Reconciling").message == message
    assert (decision.actions, decision.requeue_after) == ((), 10.0)


def test_progress_is_told_as_people_read_it() -> None:
    tail = log(7, eval_loss=float("nan"), learning_rate=0.000098765, grad_norm=None, tokens_per_second=12_345.6)
    progress = decide(observed(status=STARTED, trainings=(running(),), log=tail), NOW).status.progress
    assert (progress.steps, progress.loss, progress.learning_rate) == ("340/1200", 1.235, 9.876e-05)
    assert (progress.tokens_per_second, progress.eval_loss, progress.grad_norm) == (12_350, None, None)
    assert (progress.eta_seconds, progress.eta, progress.updated_at) == (1720, "29m", ago(7))


@pytest.mark.parametrize("tail", [None, log(0)])
def test_progress_is_kept_while_the_log_cannot_be_read(tail: Any) -> None:
    before = decide(observed(status=STARTED, trainings=(running(),), log=log()), NOW).status
    silent = None if tail is None else type(tail)(progress=None, seconds_per_step=None, changed_at=NOW)
    after = answer(attempts.decide, observed(status=before, trainings=(running(),), log=silent)).status
    assert after.progress == before.progress


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (3_570, "1h00m"), (4_800, "1h20m"), (86_399, "1d0h"), (183_600, "2d3h")],
)
def test_durations_for_people(seconds: int, text: str) -> None:
    assert for_people(seconds) == text


def test_a_job_that_its_queue_has_just_let_go_is_given_the_whole_deadline() -> None:
    """Kueue has held the Job back for two hours; its pod is not made yet."""
    released = step(created_at=ago(7200), waits_since=ago(1))
    assert decide(observed(HOUR, status=STARTED, trainings=(released,)), NOW).status.phase == "Queued"
