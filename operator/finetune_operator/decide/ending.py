"""How a step ended: from the Job's condition, which outlives the pod, and from the pod, which knows more."""

from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from finetune_core.contract import Failure
from finetune_core.contract.environment import CLAIMS_FOLDER, EXIT_TERMINATED
from finetune_operator.decide.observed import Step


@dataclass(frozen=True)
class Ending:
    """What became of a step."""

    kind: Literal["answered", "disrupted", "failed"]
    reason: str = ""
    """Failure reason of the public contract; empty for an answer."""
    message: str = ""
    answer: str = ""
    """The report, as JSON."""


def ending(step: Step) -> Ending | None:
    """How a step ended; None while it has not."""
    if step.result is None:
        return None
    pod = step.pod
    if step.result == "Complete":
        if pod is None or not pod.answer:
            return Ending("failed", "TrainerError", f"{step.name} finished, but its answer was lost with its pod")
        return Ending("answered", answer=pod.answer)
    if step.reason == "DeadlineExceeded":
        return Ending("failed", "DeadlineExceeded", f"{step.name} ran longer than it may: {step.message}")
    if disruption := _disruption(step):
        return Ending("disrupted", "Disrupted", disruption)
    if pod is not None and (failure := _failure(pod.answer)) is not None:
        # As the person wrote it: the pod knows a claim as a folder.
        return Ending(
            "failed", failure.as_error().reason, failure.message.replace(f"file://{CLAIMS_FOLDER}/", "pvc://")
        )
    if pod is not None and pod.out_of_memory:
        return Ending("failed", "OutOfMemory", f"{step.name} was ended by the kernel at the pod's memory limit")
    if pod is not None and pod.ended_by:
        return Ending("failed", "TrainerError", f"{step.name} was ended by its node: {pod.ended_by}")
    code = "" if pod is None or pod.exit_code is None else f" with exit code {pod.exit_code}"
    return Ending("failed", "TrainerError", f"{step.name} ended{code} and left no word why ({step.message})")


def _disruption(step: Step) -> str:
    """What the cluster did to the step; empty where it did nothing.

    The Job's podFailurePolicy (manifests/job.py) names the DisruptionTarget condition or the exit code of a
    stop in the Job's own message, for when the pod is gone.
    """
    if step.pod is not None and step.pod.disruption:
        return step.pod.disruption
    stopped = f"exit code {EXIT_TERMINATED} "
    if "DisruptionTarget" in step.message or stopped in step.message:
        return step.message
    if step.pod is not None and step.pod.exit_code == EXIT_TERMINATED:
        return f"pod {step.pod.name} was asked to stop"
    return ""


def _failure(answer: str) -> Failure | None:
    try:
        return Failure.model_validate_json(answer)
    except ValidationError:
        return None
