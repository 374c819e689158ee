"""Disruption: the cluster took the pod away (eviction, preemption, node loss). The next attempt resumes at once."""

from datetime import datetime

from finetune_operator.decide.attempts import closed, how_it_ended
from finetune_operator.decide.decision import Decision, Event
from finetune_operator.decide.observed import Observed
from finetune_operator.decide.retries import count_disruption
from finetune_operator.decide.story import failed, told


def decide(observed: Observed, now: datetime) -> Decision | None:
    """Note the disruption, and go on unless there were too many."""
    end = how_it_ended(observed)
    if end is None or end.kind != "disrupted":
        return None
    attempts = closed(observed, now, "Disrupted", end)
    again = count_disruption(observed, end)
    if again is None:
        message = f"disrupted more often than failurePolicy.maxDisruptions allows; last: {end.message}"
        return failed(observed, now, end.reason, message, attempts=attempts)
    return Decision(
        status=told(observed, now, "Queued", end.reason, end.message, attempts=attempts, **again),
        events=(Event("Warning", end.reason, f"resuming from the newest checkpoint: {end.message}"),),
        requeue_after=0,
    )
