"""Time to live: a finished job stays as it is, until it is removed when its time is up. Its model stays for good."""

from datetime import datetime

from finetune_core.api.status import FINISHED
from finetune_operator.decide.decision import Decision, RemoveJob, StopStep
from finetune_operator.decide.observed import Observed


def decide(observed: Observed, now: datetime) -> Decision | None:
    """Answer for every finished job: no later policy sees one."""
    status = observed.status
    if status.phase not in FINISHED:
        return None
    status = status.model_copy(update={"observed_generation": observed.generation})
    left_over = tuple(StopStep(step.name, step.uid) for step in observed.steps if step.active and not step.deleting)
    seconds = observed.spec.ttl_seconds_after_finished if observed.spec else None
    if seconds is None or status.completion_time is None:
        return Decision(status=status, actions=left_over)
    left = seconds - (now - status.completion_time).total_seconds()
    if left <= 0:
        return Decision(status=status, actions=(RemoveJob(),))
    return Decision(status=status, actions=left_over, requeue_after=left)
