"""Failure: a fault of the job's own. Another attempt may help against a crash; nothing helps against a refusal."""

from datetime import datetime

from finetune_operator.decide.attempts import closed, how_it_ended
from finetune_operator.decide.decision import Decision, Event
from finetune_operator.decide.ending import Ending
from finetune_operator.decide.observed import Observed
from finetune_operator.decide.retries import count_failure
from finetune_operator.decide.story import failed, told


def decide(observed: Observed, now: datetime) -> Decision | None:
    """Note the fault, and try again where that can help and is allowed."""
    end = how_it_ended(observed)
    if end is None:
        return None
    if end.kind == "answered":  # completion could not read it
        end = Ending("failed", "TrainerError", "the trainer finished with an answer that this operator cannot read")
    attempts = closed(observed, now, "Failed", end)
    again = count_failure(observed, end)
    if again is None:
        return failed(observed, now, end.reason, end.message, attempts=attempts)
    return Decision(
        status=told(observed, now, "Queued", end.reason, end.message, attempts=attempts, **again),
        events=(Event("Warning", end.reason, f"{end.message}; trying again from the newest checkpoint"),),
        requeue_after=0,
    )
