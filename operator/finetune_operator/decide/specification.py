"""Specification: what the API server's schema let pass and still cannot be worked with ends here, before any pod."""

from datetime import datetime

from finetune_core.errors import InvalidSpec
from finetune_core.planning import find_gpu
from finetune_operator.decide.decision import Decision
from finetune_operator.decide.observed import Observed
from finetune_operator.decide.story import failed, told


def decide(observed: Observed, now: datetime) -> Decision | None:
    """Fail a job whose spec cannot be read, or that asks for a GPU nobody knows or no label tells."""
    if observed.spec is None:
        return failed(observed, now, "InvalidSpec", observed.problem)
    try:
        gpu = find_gpu(observed.spec.gpu.type)
    except InvalidSpec as error:
        return failed(observed, now, error.reason, f"spec.gpu.type: {error}")
    if gpu.resource_name and not gpu.node_labels and not observed.spec.pod.node_selector:
        message = f"{gpu.name} shares its node label with cards of another size: name its nodes by pod.nodeSelector"
        return failed(observed, now, "InvalidSpec", message)
    return None


def refused(observed: Observed, now: datetime, status: int, message: str) -> Decision:
    """The API server does not take a child as the job describes it.

    422 is a mistake in the job (a label, a toleration, a name) and final; anything else (a quota, a missing right) may
    be put right by somebody, and is waited for.
    """
    if status == 422:
        return failed(observed, now, "InvalidSpec", message)
    phase = observed.status.phase or "Pending"
    return Decision(status=told(observed, now, phase, "Forbidden", message), requeue_after=0)
