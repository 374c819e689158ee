"""How a status is written: phase and conditions always tell the same story."""

from datetime import datetime
from typing import Any, Literal

from finetune_core.api.status import (
    FINISHED,
    LONGEST_MESSAGE,
    Condition,
    ConditionType,
    FineTuneJobStatus,
    Phase,
)
from finetune_operator.decide.decision import Action, Decision, Event
from finetune_operator.decide.observed import Observed, Step


def told(
    observed: Observed, now: datetime, phase: Phase, reason: str, message: str, **changes: Any
) -> FineTuneJobStatus:
    """The status with its phase, the three conditions that follow from it, and further ``changes``.

    Ready is true for a finished model, Reconciling while the operator works towards it, Stalled when it gave up: the
    three that kstatus (sigs.k8s.io/cli-utils) asks for, by which GitOps tools wait or give up.
    """
    status = observed.status
    answers: dict[ConditionType, bool] = {
        "Ready": phase == "Succeeded",
        "Reconciling": phase not in (*FINISHED, "Suspended"),
        "Stalled": phase == "Failed",
    }
    conditions = status.conditions if "conditions" not in changes else changes.pop("conditions")
    progress = changes.pop("progress", status.progress)
    if progress is not None and phase != "Training":  # nobody knows how long the wait is
        progress = progress.model_copy(update={"eta": None, "eta_seconds": None})
    for kind, true in answers.items():
        conditions = with_condition(conditions, observed, now, kind, true, reason, message)
    return status.model_copy(
        update={
            "observed_generation": observed.generation,
            "phase": phase,
            "start_time": status.start_time or now,
            "completion_time": (status.completion_time or now) if phase in FINISHED else None,
            "conditions": conditions,
            "progress": progress,
            **changes,
        }
    )


def with_condition(
    conditions: list[Condition],
    observed: Observed,
    now: datetime,
    kind: ConditionType,
    true: bool,
    reason: str,
    message: str,
) -> list[Condition]:
    """The conditions with one of them set; the time of its last transition moves only when its status does."""
    status: Literal["True", "False"] = "True" if true else "False"
    before = next((condition for condition in conditions if condition.type == kind), None)
    moved = before is None or before.status != status
    condition = Condition(
        type=kind,
        status=status,
        reason=reason,
        message=clipped(message),
        last_transition_time=now if moved or before is None else before.last_transition_time,
        observed_generation=observed.generation,
    )
    return [condition if other.type == kind else other for other in conditions] + (
        [condition] if before is None else []
    )


def failed(
    observed: Observed, now: datetime, reason: str, message: str, *, actions: tuple[Action, ...] = (), **changes: Any
) -> Decision:
    """The job's end without a model. ``reason`` is a failure reason of the public contract."""
    message = clipped(message)
    return Decision(
        status=told(observed, now, "Failed", reason, message, **changes),
        actions=actions,
        events=(Event("Warning", reason, message),),
    )


def clipped(message: str) -> str:
    """A message within what conditions and events may hold."""
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…"


def why_it_waits(step: Step) -> str:
    """Why a step does not run yet, for people."""
    if step.held:
        return f"{step.name} is held back by another controller, such as Kueue"
    waiting = step.pod.waiting if step.pod is not None else None
    return f"{step.name} waits for its pod" + (f": {waiting.reason}: {waiting.message}" if waiting else "")
