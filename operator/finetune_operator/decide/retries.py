"""How often a job may try again, and how long it waits before."""

from datetime import datetime
from typing import Any

from finetune_operator.decide.ending import Ending
from finetune_operator.decide.observed import Observed

FINAL = frozenset(
    {
        "InvalidSpec",
        "DatasetRefused",
        "DatasetUnavailable",
        "SecretMissing",
        "Infeasible",
        "OutputOccupied",
        "Diverged",
        "DeadlineExceeded",
    }
)
"""Reasons that another attempt would only meet again."""

FIRST_WAIT_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 300.0
"""As the Job controller has the first figure for pods; its six minutes are long for a person who looks on."""


def count_failure(observed: Observed, end: Ending) -> dict[str, Any] | None:
    """The counted fault, for the status; None where there is no further attempt."""
    assert observed.spec is not None
    retries = observed.status.retries + 1
    if end.reason in FINAL or retries > observed.spec.failure_policy.max_retries:
        return None
    return {"retries": retries}


def count_disruption(observed: Observed, end: Ending) -> dict[str, Any] | None:
    """The counted disruption, for the status; None where there is no further attempt."""
    assert observed.spec is not None
    disruptions = observed.status.disruptions + 1
    if disruptions > observed.spec.failure_policy.max_disruptions:
        return None
    return {"disruptions": disruptions}


def wait_seconds(observed: Observed, now: datetime) -> float:
    """Seconds until the next attempt may start: none after a disruption, twice as many after each fault."""
    last = observed.status.attempts[-1] if observed.status.attempts else None
    if last is None or last.outcome != "Failed" or last.end_time is None:
        return 0.0
    wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(10, max(0, observed.status.retries - 1)))
    return max(0.0, wait - (now - last.end_time).total_seconds())
