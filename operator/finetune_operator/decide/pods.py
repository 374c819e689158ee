"""Pods that train together: which of them speaks for their step."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from finetune_core.contract.environment import EXIT_TERMINATED
from finetune_operator.decide.observed import Pod

_LATEST = datetime.max.replace(tzinfo=UTC)


def speaker(pods: Sequence[Pod], result: Literal["Complete", "Failed"] | None) -> Pod | None:
    """The pod by which a step is judged; None where there is none.

    While it is active: one that still waits, for none can begin without it; else the first, which tells of progress.
    When it is complete: the first, which has the report. When it has failed: the one that failed first, for the others
    were stopped for it, or lost it.
    """
    failed = [pod for pod in pods if pod.phase == "Failed"]
    if result == "Failed" and failed:
        return min(failed, key=_by_cause)
    waiting = [pod for pod in pods if pod.phase == "Pending"] if result is None else []
    return min(waiting or pods, key=lambda pod: pod.index, default=None)


def _by_cause(pod: Pod) -> tuple[bool, datetime, bool, bool, bool, int]:
    """What was disrupted is the cause, however long it took to end. Ends within one second are told apart by what they
    say: who was killed has no word for it, and who lost another has."""
    return (
        not pod.disruption,
        pod.ended_at or _LATEST,
        not pod.out_of_memory,
        pod.exit_code == EXIT_TERMINATED,
        bool(pod.answer),
        pod.index,
    )
