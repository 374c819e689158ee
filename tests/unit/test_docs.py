"""What the documents list is what there is."""

from dataclasses import fields
from pathlib import Path

import pytest

from finetune_operator.metrics import Metrics
from finetune_operator.queue import Queue
from finetune_operator.settings import PREFIX, Settings

OPERATOR = (Path(__file__).parents[2] / "docs" / "operator.md").read_text(encoding="utf-8")


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
