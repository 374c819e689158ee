"""Pods that train together: which of them tells what became of their attempt."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from observed_jobs import NOW, TRAINED, failure, pod

from finetune_operator.decide.observed import Pod
from finetune_operator.decide.pods import speaker


def ended(index: int, seconds: float = 0, exit_code: int = 1, **fields: Any) -> Pod:
    """A pod that failed so many seconds after noon."""
    return pod("Failed", index=index, ended_at=NOW + timedelta(seconds=seconds), exit_code=exit_code, **fields)


LOST = failure("TrainerError", "node 1 is gone")
"""What those say that lost another."""


@pytest.mark.parametrize(
    ("pods", "index"),
    [
        pytest.param([pod(index=1), pod(index=0)], 0, id="all run: the first tells of progress"),
        pytest.param([pod(index=0), pod("Pending", index=1)], 1, id="one waits: none can begin"),
        pytest.param([pod("Pending", index=2), pod("Pending", index=1), pod(index=0)], 1, id="two wait"),
        pytest.param([pod("Succeeded", index=0), pod(index=1)], 0, id="the first has finished"),
        pytest.param([ended(1), pod(index=0)], 0, id="one has failed, and its Job does not know yet"),
    ],
)
def test_of_an_active_step(pods: list[Pod], index: int) -> None:
    assert speaker(pods, None) == next(one for one in pods if one.index == index)


def test_of_a_complete_step_it_is_the_first_which_has_the_report() -> None:
    first = pod("Succeeded", index=0, answer=TRAINED)
    assert speaker([pod("Succeeded", index=1, answer=""), first], "Complete") == first


@pytest.mark.parametrize(
    ("first", "others"),
    [
        pytest.param(ended(2, 5), [ended(0, 6), ended(1, 7)], id="the earliest"),
        pytest.param(ended(1, 5), [ended(0, 65, exit_code=143)], id="a pod that was stopped for it"),
        pytest.param(ended(1, 9), [pod(index=0)], id="one that still stops"),
        pytest.param(ended(1, 9), [pod("Succeeded", index=0)], id="one that had finished"),
        pytest.param(ended(1, 9, disruption="drained", exit_code=143), [ended(0, 8, answer=LOST)], id="a disruption"),
        pytest.param(ended(1, out_of_memory=True, exit_code=137), [ended(0, answer=LOST)], id="out of memory"),
        pytest.param(ended(1, exit_code=137), [ended(0, answer=LOST)], id="killed, without a word"),
        pytest.param(ended(1, answer=LOST), [ended(0, exit_code=143)], id="of a stop and a failure the failure"),
        pytest.param(ended(1), [pod("Failed", index=0)], id="one whose container never ran"),
        pytest.param(ended(0), [ended(1)], id="else the first"),
    ],
)
def test_of_a_failed_step_it_is_the_one_that_failed_first(first: Pod, others: list[Pod]) -> None:
    assert speaker([*others, first], "Failed") == first
    assert speaker([first, *others], "Failed") == first


@given(
    st.lists(st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown"]), max_size=4),
    st.sampled_from([None, "Complete", "Failed"]),
)
def test_there_is_one_where_there_are_pods(phases: list[str], result: Any) -> None:
    pods = [pod(phase, index=index) for index, phase in enumerate(phases)]
    chosen = speaker(pods, result)
    assert chosen in pods if pods else chosen is None
