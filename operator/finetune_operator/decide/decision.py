"""What the policies answer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from finetune_core.api import Plan
from finetune_core.api.status import FineTuneJobStatus
from finetune_operator.decide.observed import Observed


@dataclass(frozen=True, slots=True)
class StartPreparation:
    """Create the prepare Job of that number."""

    number: int


@dataclass(frozen=True, slots=True)
class StartTraining:
    """Create the train Job of that number."""

    number: int
    plan: Plan


@dataclass(frozen=True, slots=True)
class StopStep:
    """Delete a child Job; it is there until its pod has ended."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class RemoveJob:
    """Delete the FineTuneJob itself; the garbage collector takes its children."""


Action = StartPreparation | StartTraining | StopStep | RemoveJob


@dataclass(frozen=True, slots=True)
class Event:
    """One line for ``kubectl describe``."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The next step of one job."""

    status: FineTuneJobStatus
    """The whole new status."""
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_after: float | None = None
    """Seconds until the job is looked at again even if nothing happens; None: not before something does."""


Policy = Callable[[Observed, datetime], Decision | None]
"""One rule: None where it does not apply, and the next one is asked."""
