"""Output occupied: two jobs that write to one place would destroy each other's result; the older one has it.

A finished model of another job is found by the prepare step, which can read the place; this operator cannot.
"""

from datetime import datetime

from finetune_operator.decide.decision import Decision, StopStep
from finetune_operator.decide.observed import Observed
from finetune_operator.decide.story import failed


def decide(observed: Observed, now: datetime) -> Decision | None:
    """Fail a job whose output place an older job is still writing to."""
    if not observed.output_holder or observed.spec is None:
        return None
    return failed(
        observed, now, "OutputOccupied",
        f"job {observed.output_holder} writes to {observed.spec.output.uri} and is older: choose another output.uri, "
        "or delete that job first",
        actions=tuple(StopStep(step.name, step.uid) for step in observed.steps if step.active and not step.deleting),
    )  # fmt: skip
