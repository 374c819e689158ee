"""Numbers and names of children."""

from finetune_operator.decide.observed import Observed, StepKind

_FRAGMENT = 4


def child_name(name: str, uid: str, kind: StepKind, number: int) -> str:
    """Name of a child Job: at most 18 characters longer than the job's (45), so within the 63 of a label.

    That counts what a pod of one of several nodes appends for its host name: ``-`` and its index.
    The fragment of the UID keeps a recreated job from taking its predecessor's children for its own.
    """
    return f"{name}-{kind}-{uid[:_FRAGMENT]}-{number}"


def service_name(name: str, uid: str) -> str:
    """Name of the Service of all train pods. A Service's has to begin with a letter, which a job's need not."""
    return f"train-{name}-{uid[:_FRAGMENT]}"


def free_number(observed: Observed, kind: StepKind, number: int) -> int:
    """The number, or the next one whose name no other object has."""
    while child_name(observed.name, observed.uid, kind, number) in observed.taken:
        number += 1
    return number
