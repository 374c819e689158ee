"""Deletion: the children go with the job, by their owner references; nothing is left to decide."""

from datetime import datetime

from finetune_operator.decide.decision import Decision
from finetune_operator.decide.observed import Observed


def decide(observed: Observed, now: datetime) -> Decision | None:
    """Leave a job that is being deleted to the garbage collector."""
    return Decision(status=observed.status) if observed.deleting else None
