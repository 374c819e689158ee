"""No progress: a trainer that says nothing for too long hangs; it is stopped, and the next attempt resumes."""

from datetime import datetime

from finetune_operator.decide.attempts import closed, current
from finetune_operator.decide.decision import Decision, Event, StopStep
from finetune_operator.decide.ending import Ending
from finetune_operator.decide.observed import Observed
from finetune_operator.decide.retries import count_failure
from finetune_operator.decide.story import failed, told


def decide(observed: Observed, now: datetime) -> Decision | None:
    """Stop an attempt whose log has not grown for ``failurePolicy.noProgressSeconds``, by the operator's clock."""
    step = current(observed)
    if step is None or not step.running or observed.log is None or observed.spec is None:
        return None
    limit = observed.spec.failure_policy.no_progress_seconds
    if (now - observed.log.changed_at).total_seconds() < limit:
        return None
    end = Ending("failed", "NoProgress", f"{step.name} has said nothing for {limit} s")
    attempts = closed(observed, now, "Failed", end)
    stop = StopStep(step.name, step.uid)
    again = count_failure(observed, end)
    if again is None:
        return failed(observed, now, end.reason, end.message, actions=(stop,), attempts=attempts)
    return Decision(
        status=told(observed, now, "Queued", end.reason, end.message, attempts=attempts, **again),
        actions=(stop,),
        events=(Event("Warning", end.reason, f"{end.message}; trying again from the newest checkpoint"),),
        requeue_after=observed.poll_seconds,
    )
