"""What the policies are told: a job and its children, as they are at one moment."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from finetune_core.api import FineTuneJobSpec
from finetune_core.api.status import FineTuneJobStatus
from finetune_core.contract import Progress

StepKind = Literal["prepare", "train"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a pod does not run yet, in Kubernetes' words."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Pod:
    """The pod of a step."""

    name: str
    uid: str
    phase: str
    """Pending, Running, Succeeded, Failed or Unknown."""
    index: int = 0
    """Which it is of those that train together."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    """When the trainer's container ended."""
    waiting: Waiting | None = None
    exit_code: int | None = None
    """Of the trainer's container, once it has ended."""
    out_of_memory: bool = False
    """Whether the kernel ended it at its memory limit."""
    answer: str = ""
    """Its termination message: a report or a Failure, as JSON."""
    ended_by: str = ""
    """What kubelet says of a pod that it ended itself, such as one that outgrew its scratch space."""
    disruption: str = ""
    """What Kubernetes says it did to the pod (its DisruptionTarget condition); empty where it did nothing."""

    @property
    def ended(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.phase in ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Step:
    """A child Job and the pod that speaks for it: one preparation, or one attempt to train."""

    name: str
    uid: str
    kind: StepKind
    number: int
    created_at: datetime
    waits_since: datetime
    """Since when it may start: its creation, or the moment when another controller let it go."""
    deleting: bool = False
    held: bool = False
    """Whether another controller, such as Kueue, keeps it from starting (the Job's own ``suspend``)."""
    result: Literal["Complete", "Failed"] | None = None
    """The Job's own condition; None while it is not finished."""
    reason: str = ""
    message: str = ""
    """Of that condition. They outlive the pod."""
    finished_at: datetime | None = None
    pod: Pod | None = None

    @property
    def active(self) -> bool:
        """Whether it runs, or may start to."""
        return self.result is None

    @property
    def started(self) -> bool:
        """Whether its pod has run, and the Job has not ended."""
        return self.active and not self.deleting and self.pod is not None and self.pod.phase != "Pending"

    @property
    def running(self) -> bool:
        """Whether its pod runs now."""
        return self.active and not self.deleting and self.pod is not None and self.pod.phase == "Running"


@dataclass(frozen=True, slots=True)
class LogTail:
    """The end of a running trainer's log."""

    progress: Progress | None
    """The newest logged step, with the newest validation loss."""
    seconds_per_step: float | None
    changed_at: datetime
    """When the operator last saw it grow, by the operator's own clock."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """One FineTuneJob and all that belongs to it."""

    namespace: str
    name: str
    uid: str
    generation: int
    deleting: bool = False
    spec: FineTuneJobSpec | None
    """None where it cannot be read."""
    problem: str = ""
    """Why it cannot be read."""
    status: FineTuneJobStatus
    preparations: tuple[Step, ...] = ()
    trainings: tuple[Step, ...] = ()
    taken: frozenset[str] = frozenset()
    """Names of children that other objects were found to have."""
    output_holder: str = ""
    """An older job, not finished, that writes to the same place."""
    log: LogTail | None = None
    """Of the running training; None where it was not or could not be read."""
    poll_seconds: float = 10.0
    """How often a running step is looked at."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every child Job."""
        return self.preparations + self.trainings
