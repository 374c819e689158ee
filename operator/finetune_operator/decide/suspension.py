"""Suspension: what runs is asked to stop and stores its state; nothing starts until ``suspend`` is false again."""

from datetime import datetime

from finetune_operator.decide import preparation
from finetune_operator.decide.attempts import closed, current
from finetune_operator.decide.decision import Decision, Event, StopStep
from finetune_operator.decide.ending import Ending
from finetune_operator.decide.observed import Observed
from finetune_operator.decide.story import told

STOPPING_SECONDS = 5.0


def decide(observed: Observed, now: datetime) -> Decision | None:
    """Keep a suspended job still."""
    if observed.spec is None or not observed.spec.suspend:
        return None
    active = [step for step in observed.steps if step.active]
    attempts = observed.status.attempts
    if current(observed) is not None or (attempts and attempts[-1].outcome is None):
        attempts = closed(observed, now, "Suspended", Ending("disrupted", "Suspended", "spec.suspend is true"))
    preparing = preparation.current(observed)
    number = observed.status.preparation if preparing is None else preparing.number + 1  # what we stop ourselves
    message = "stopping, the state is being stored" if active else "set spec.suspend to false to go on"
    first = observed.status.phase != "Suspended"
    return Decision(
        status=told(observed, now, "Suspended", "Suspended", message, attempts=attempts, preparation=number),
        actions=tuple(StopStep(step.name, step.uid) for step in active if not step.deleting),
        events=(Event("Normal", "Suspended", "spec.suspend is true"),) if first else (),
        requeue_after=STOPPING_SECONDS if active else None,
    )
