"""The loss curve of each method, beside the one that was written down when the method was last changed on purpose.

Where a change is meant, ``FINETUNE_WRITE_GOLDEN=1 pytest tests/trainer/test_trainer_golden.py`` writes the files anew.
"""

import json
import os
from pathlib import Path

import pytest
from trainer_jobs import METHODS
from trainer_steps import Run

GOLDEN = Path(__file__).parent / "golden"
TOLERANCE, TOLERANCE_16_BIT = 0.01, 0.05
"""Processors add in another order: over 20 steps at these learning rates, losses part by a few thousandths, and by a
few hundredths where every number is rounded to 8 bits."""


@pytest.mark.parametrize("label", METHODS)
def test_the_curve_is_the_golden_one(runs: dict[str, Run], label: str) -> None:
    curve = [
        {name: line[name] for name in ("step", "loss", "eval_loss") if name in line} for line in runs[label].metrics
    ]
    path = GOLDEN / f"{label}.jsonl"
    if os.environ.get("FINETUNE_WRITE_GOLDEN"):
        path.write_text("".join(json.dumps(line) + "\n" for line in curve), encoding="utf-8")
    golden = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line.keys() for line in curve] == [line.keys() for line in golden]
    tolerance = TOLERANCE if runs[label].config.hyperparameters.precision == "fp32" else TOLERANCE_16_BIT
    for ours, written in zip(curve, golden, strict=True):
        assert ours == pytest.approx(written, rel=tolerance)
