"""Attempt: start the next train Job when nothing stands in its way, and watch the one that runs."""

from datetime import datetime

from finetune_core.api.status import NEWEST_ATTEMPTS
from finetune_operator.decide.attempts import attempts_with, current, started
from finetune_operator.decide.decision import Decision, Event, StartTraining
from finetune_operator.decide.numbers import child_name, free_number
from finetune_operator.decide.observed import Observed
from finetune_operator.decide.progress import from_log
from finetune_operator.decide.retries import wait_seconds
from finetune_operator.decide.story import told, why_it_waits


def decide(observed: Observed, now: datetime) -> Decision:
    """The last policy: it has an answer for every job that has a plan."""
    status = observed.status
    assert status.plan is not None
    if current(observed) is not None:
        return _watch(observed, now)
    if any(step.active for step in observed.trainings):
        # Two trainers must never write to one place.
        message = "waiting for the attempt before to stop"
        return Decision(status=told(observed, now, "Queued", "Stopping", message), requeue_after=observed.poll_seconds)
    last = status.attempts[-1] if status.attempts else None
    fault = last.end_time if last is not None and last.outcome == "Failed" else None
    if last is not None and fault is not None and (wait := wait_seconds(observed, fault, now)) > 0:
        waiting = told(observed, now, "Queued", last.reason or "Retrying", last.message or "trying again")
        return Decision(status=waiting, requeue_after=wait)
    used = max([0, *(attempt.number for attempt in status.attempts), *(step.number for step in observed.trainings)])
    number = free_number(observed, "train", used + 1)
    name = child_name(observed.name, observed.uid, "train", number)
    return Decision(
        status=told(
            observed, now, "Queued", "WaitingForPod", f"{name} waits for its pod",
            attempts=[*status.attempts, started(observed, number, now)][-NEWEST_ATTEMPTS:],
        ),
        actions=(StartTraining(number, status.plan),),
        events=(Event("Normal", "Training", f"attempt {number}: {status.plan.method} on {status.plan.gpu.words}"),),
        requeue_after=observed.poll_seconds,
    )  # fmt: skip


def _watch(observed: Observed, now: datetime) -> Decision:
    step = current(observed)
    assert step is not None
    attempts = attempts_with(observed, step)
    if not step.started:
        status = told(observed, now, "Queued", "WaitingForPod", why_it_waits(step), attempts=attempts)
    else:
        log = observed.log
        progress = from_log(log) if log is not None else None
        status = told(
            observed, now, "Training", "Training", f"attempt {step.number} is training",
            attempts=attempts, progress=progress or observed.status.progress,
        )  # fmt: skip
    return Decision(status=status, requeue_after=observed.poll_seconds)
