"""Numbers and names of children."""

from finetune_operator.decide.observed import Observed, StepKind

_FRAGMENT = 5


def child_name(name: str, uid: str, kind: StepKind, number: int) -> str:
    """Name of a child Job: at most 18 characters longer than the job's (45), so within the 63 of a label.

    The fragment of the UID keeps a recreated job from taking its predecessor's children for its own.
    """
    return f"{name}-{kind}-{uid[:_FRAGMENT]}-{number}"


def free_number(observed: Observed, kind: StepKind, number: int) -> int:
    """The number, or the next one whose name no other object has."""
    while child_name(observed.name, observed.uid, kind, number) in observed.taken:
        number += 1
    return number
