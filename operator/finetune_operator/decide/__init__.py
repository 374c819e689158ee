"""decide(): from what is observed to the next step. Pure, and total: every state has an answer.

The chain is read from top to bottom, and the first policy that has an answer gives it. A policy is one file.
"""

from datetime import datetime

from finetune_operator.decide import (
    attempt,
    completion,
    deletion,
    disruption,
    failure,
    no_progress,
    out_of_memory,
    output_occupied,
    pending,
    planning,
    preparation,
    specification,
    suspension,
    time_to_live,
)
from finetune_operator.decide.decision import Decision, Policy
from finetune_operator.decide.observed import Observed

CHAIN: tuple[Policy, ...] = (
    # Is there anything to do at all?
    deletion.decide,  # no: it is being deleted
    time_to_live.decide,  # no: it has finished, and is removed in its time
    specification.decide,  # no: nobody can work with this spec
    output_occupied.decide,  # no: an older job writes to the same place
    # What has ended is judged first, so that nothing of it is lost,
    preparation.judge,
    completion.decide,
    disruption.decide,
    out_of_memory.decide,
    failure.decide,
    # then whether anything may run,
    suspension.decide,
    # then what waits or hangs for too long,
    pending.decide,
    no_progress.decide,
    # and last what should run now.
    preparation.run,
    planning.decide,
    attempt.decide,
)


def decide(observed: Observed, now: datetime) -> Decision:
    """The next step of a job."""
    return next(decision for policy in CHAIN if (decision := policy(observed, now)) is not None)
