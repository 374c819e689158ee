"""A status that another version of the operator wrote."""

import json
from typing import Any

import pytest
from observed_jobs import NOW, PREPARED, attempt, planned

from finetune_operator.observe import read_status

KNOWN = json.loads(planned(attempt(), retries=2).to_json())
NEWER_REPORT = json.dumps(json.loads(PREPARED) | {"version": 2})


def test_what_was_written_is_read() -> None:
    assert json.loads(read_status(KNOWN).to_json()) == KNOWN


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        pytest.param({"diagnosis": {"verdict": "converging"}}, {"diagnosis"}, id="a part that came later"),
        pytest.param({"phase": "Paused"}, {"phase"}, id="a phase that came later"),
        pytest.param({"plan": KNOWN["plan"] | {"estimate": {"seconds": 1}}}, {"plan"}, id="a field that came later"),
        pytest.param({"attempts": [{"number": 1}]}, {"attempts"}, id="a field that is missing"),
        pytest.param({"retries": "two", "plan": 5}, {"retries", "plan"}, id="several"),
        pytest.param({"prepareReport": NEWER_REPORT}, {"prepareReport"}, id="a report of another version"),
        pytest.param({"prepareReport": "garbage"}, {"prepareReport"}, id="a damaged report"),
    ],
)
def test_a_part_that_cannot_be_read_is_left_out_and_the_rest_kept(change: dict[str, Any], lost: set[str]) -> None:
    read = json.loads(read_status(KNOWN | change).to_json())
    defaults = {"retries": 0, "attempts": []}
    assert read == {name: value for name, value in KNOWN.items() if name not in lost} | {
        name: value for name, value in defaults.items() if name in lost
    }


def test_no_status_is_a_new_one() -> None:
    assert read_status({}).phase is None
    assert read_status({"startTime": NOW.isoformat()}).start_time == NOW
