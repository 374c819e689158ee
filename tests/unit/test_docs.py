"""What the documents list is what there is."""

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from finetune_core.api.job import Task
from finetune_core.sufficiency import judge
from finetune_operator.metrics import Metrics
from finetune_operator.queue import Queue
from finetune_operator.settings import PREFIX, Settings

DOCS = Path(__file__).parents[2] / "docs"
OPERATOR = (DOCS / "operator.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("setting", [field.name for field in fields(Settings)])
def test_every_setting_is_described(setting: str) -> None:
    assert f"| `{setting.upper()}` |" in OPERATOR
    assert f"`{PREFIX}`" in OPERATOR


def test_every_metric_is_described() -> None:
    metrics = Metrics(Queue())
    metrics.leader = True
    names = {metric.name for metric in metrics.registry.collect()}
    assert len(names) > 20
    assert sorted(name for name in names if name not in OPERATOR) == []


@pytest.mark.parametrize("task", get_args(Task))
def test_the_rows_advised_are_those_that_the_checks_judge_by(task: Task) -> None:
    advised = (DOCS / "should-i-fine-tune.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| `{task}` \| ([\d,]+)\S* \| ([\d,]+)", advised, re.MULTILINE)
    assert row is not None
    amount = judge(0, task)
    assert row.groups() == (f"{amount.least:,}", f"{amount.recommended:,}")
