"""Attempt: start the next train Job when nothing stands in its way, and watch the one that runs."""

import math
from datetime import datetime

from finetune_core.api.status import NEWEST_ATTEMPTS, ProgressStatus
from finetune_operator.decide.attempts import attempts_with, current, started
from finetune_operator.decide.decision import Decision, Event, StartTraining
from finetune_operator.decide.numbers import free_number
from finetune_operator.decide.observed import LogTail, Observed
from finetune_operator.decide.retries import wait_seconds
from finetune_operator.decide.story import told


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
    if (wait := wait_seconds(observed, now)) > 0:
        return Decision(status=status, requeue_after=wait)
    used = max([0, *(attempt.number for attempt in status.attempts), *(step.number for step in observed.trainings)])
    number = free_number(observed, "train", used + 1)
    return Decision(
        status=told(
            observed, now, "Queued", "WaitingForPod", f"attempt {number} waits for its pod",
            attempts=[*status.attempts, started(observed, number, now)][-NEWEST_ATTEMPTS:],
        ),
        actions=(StartTraining(number, status.plan),),
        events=(Event("Normal", "Training", f"attempt {number}: {status.plan.method} on {status.plan.gpu.type}"),),
        requeue_after=observed.poll_seconds,
    )  # fmt: skip


def _watch(observed: Observed, now: datetime) -> Decision:
    step = current(observed)
    assert step is not None
    attempts = attempts_with(observed, step)
    if not step.running:
        waiting = step.pod.waiting if step.pod else None
        message = f"attempt {step.number} waits for its pod" + (
            f": {waiting.reason}: {waiting.message}" if waiting else ""
        )
        status = told(observed, now, "Queued", "WaitingForPod", message, attempts=attempts)
    else:
        log = observed.log
        progress = _progress(log, now) if log is not None and log.progress is not None else None
        status = told(
            observed, now, "Training", "Training", f"attempt {step.number} is training",
            attempts=attempts, progress=progress or observed.status.progress,
        )  # fmt: skip
    return Decision(status=status, requeue_after=observed.poll_seconds)


def _progress(log: LogTail, now: datetime) -> ProgressStatus:
    newest = log.progress
    assert newest is not None
    eta = None if log.seconds_per_step is None else round((newest.total_steps - newest.step) * log.seconds_per_step)
    return ProgressStatus(
        step=newest.step,
        total_steps=newest.total_steps,
        steps=f"{newest.step}/{newest.total_steps}",
        epoch=newest.epoch,
        loss=_rounded(newest.loss),
        eval_loss=_rounded(newest.eval_loss),
        learning_rate=_rounded(newest.learning_rate),
        grad_norm=_rounded(newest.grad_norm),
        tokens_per_second=_rounded(newest.tokens_per_second),
        eta_seconds=eta,
        eta=None if eta is None else for_people(eta),
        peak_memory_bytes=newest.peak_memory_bytes,
        updated_at=log.changed_at,
    )


def _rounded(value: float | None) -> float | None:
    """Four significant digits, as people read them; None for what is not finite, which JSON has no number for."""
    return float(f"{value:.4g}") if value is not None and math.isfinite(value) else None


def for_people(seconds: int) -> str:
    """``45s``, ``12m``, ``1h20m``, ``2d3h``."""
    if seconds < 60:
        return f"{seconds}s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h{minutes:02d}m"
    return f"{hours // 24}d{hours % 24}h"
