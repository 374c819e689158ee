"""Labels by which children are found and told apart."""

from collections.abc import Mapping

from finetune_operator.decide.observed import StepKind

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "finetune-operator"
JOB = "finetune.dev/job"
STEP = "finetune.dev/step"
NUMBER = "finetune.dev/number"
INDEX = "batch.kubernetes.io/job-completion-index"
"""Annotation of the Job controller: which pod it is of an Indexed Job."""

SELECTOR = f"{MANAGED_BY}={MANAGER}"
"""Selects every child; the API server applies it, so nothing else is ever sent here."""

_QUEUE = "kueue.x-k8s.io/queue-name"
_PREPARE_QUEUE = "finetune.dev/prepare-queue-name"


def queue_label(labels: Mapping[str, str], kind: StepKind) -> dict[str, str]:
    """Kueue's label for a child Job. No other label is copied, or another tool would take children for its own."""
    queue = labels.get(_QUEUE)
    if kind == "prepare":
        queue = labels.get(_PREPARE_QUEUE, queue)
    return {_QUEUE: queue} if queue else {}


def job_labels(name: str) -> dict[str, str]:
    """Labels of all that belongs to a job."""
    return {MANAGED_BY: MANAGER, "app.kubernetes.io/name": "finetune-trainer", JOB: name}


def child_labels(name: str, kind: StepKind, number: int) -> dict[str, str]:
    """Labels of a child Job and its pods."""
    return job_labels(name) | {STEP: kind, NUMBER: str(number)}
