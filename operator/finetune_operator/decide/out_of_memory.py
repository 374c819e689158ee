"""Out of memory: the next attempt takes one rung of the ladder, and resumes with the same effective batch."""

from datetime import datetime

from finetune_core.planning import step_down
from finetune_operator.decide.attempts import closed, how_it_ended
from finetune_operator.decide.decision import Decision, Event
from finetune_operator.decide.observed import Observed
from finetune_operator.decide.retries import count_failure
from finetune_operator.decide.story import failed, told


def decide(observed: Observed, now: datetime) -> Decision | None:
    """Step down where the job allows it and there is a rung left; else that is the end."""
    end = how_it_ended(observed)
    if end is None or end.reason != "OutOfMemory" or observed.spec is None or observed.status.plan is None:
        return None
    attempts = closed(observed, now, "Failed", end)
    lower = step_down(observed.status.plan) if observed.spec.failure_policy.on_out_of_memory == "stepDown" else None
    again = count_failure(observed, end)
    if lower is None or again is None:
        return failed(observed, now, end.reason, end.message, attempts=attempts)
    message = f"{end.message}; the next attempt takes {lower.why('microBatchSize')}"
    return Decision(
        status=told(observed, now, "Queued", end.reason, message, attempts=attempts, plan=lower, **again),
        events=(Event("Warning", end.reason, message),),
        requeue_after=0,
    )
