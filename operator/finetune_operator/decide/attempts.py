"""Attempts: which train Job counts, and how the newest one ended. What the policies on attempts share."""

from datetime import datetime
from typing import Any

from finetune_core.api.status import NEWEST_ATTEMPTS, Attempt, Outcome
from finetune_operator.decide.ending import Ending, ending
from finetune_operator.decide.observed import Observed, Step
from finetune_operator.decide.story import clipped


def current(observed: Observed) -> Step | None:
    """The train Job whose outcome is not in the status yet, whether it runs or has ended."""
    if not _is_planned(observed):
        return None
    last = observed.status.attempts[-1] if observed.status.attempts else None
    first = 1 if last is None else last.number + (last.outcome is not None)
    newest = max(observed.trainings, key=lambda step: step.number, default=None)
    return newest if newest is not None and newest.number >= first else None


def how_it_ended(observed: Observed) -> Ending | None:
    """How the newest attempt ended; None while it has not, or once that stands in the status."""
    step = current(observed)
    if step is not None:
        return ending(step)
    last = observed.status.attempts[-1] if observed.status.attempts else None
    if _is_planned(observed) and last is not None and last.outcome is None:
        return Ending("disrupted", "Disrupted", f"the Job of attempt {last.number} was deleted")
    return None


def _is_planned(observed: Observed) -> bool:
    """A plan that was lost with the status is made anew before attempts are judged."""
    return observed.status.plan is not None and observed.status.plan.feasible


def attempts_with(observed: Observed, step: Step) -> list[Attempt]:
    """The status's attempts, the step's among them."""
    attempts = observed.status.attempts
    if attempts and attempts[-1].number == step.number:
        return attempts
    return [*attempts, started(observed, step.number, step.created_at)][-NEWEST_ATTEMPTS:]


def started(observed: Observed, number: int, at: datetime) -> Attempt:
    """The record of an attempt that begins."""
    plan = observed.status.plan
    assert plan is not None
    assert plan.method is not None
    assert plan.hyperparameters is not None
    return Attempt(
        number=number, method=plan.method, micro_batch_size=plan.hyperparameters.micro_batch_size, start_time=at
    )


def closed(observed: Observed, now: datetime, outcome: Outcome, end: Ending) -> list[Attempt]:
    """The attempts, the newest with its outcome."""
    step = current(observed)
    attempts = attempts_with(observed, step) if step is not None else observed.status.attempts
    changes: dict[str, Any] = {
        "outcome": outcome,
        "end_time": (step.finished_at if step is not None else None) or now,
        "reason": end.reason or None,
        "message": clipped(end.message) or None,
    }
    return [*attempts[:-1], attempts[-1].model_copy(update=changes)]
