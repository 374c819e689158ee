"""How much data is enough, by task: what ``ftj lint`` and the plan both say."""

from typing import Literal

from pydantic import Field

from finetune_core.api.base import ApiModel
from finetune_core.api.job import Task

_NEEDS: dict[Task | Literal["unknown"], tuple[int, int]] = {
    "style": (50, 200),
    "classification": (100, 500),
    "knowledge": (500, 2000),
    "reasoning": (1000, 5000),
    "unknown": (50, 200),
}
"""Least and recommended rows: 数据量需求, the course's part 3.3; for an unnamed task, its quick-reference card."""

_FEW = 40
"""Around 30 rows (the course's second question) prompting or retrieval serves better than training."""


class Sufficiency(ApiModel):
    """Usable rows against what the task needs."""

    task: Task | Literal["unknown"]
    least: int
    recommended: int
    verdict: Literal["enough", "least", "too-few"] = Field(
        description="least: as many as it takes to begin, fewer than recommended."
    )


def judge(rows: int, task: Task | None) -> Sufficiency:
    """Is it enough?"""
    name: Task | Literal["unknown"] = task or "unknown"
    least, recommended = _NEEDS[name]
    verdict: Literal["enough", "least", "too-few"] = "too-few"
    if rows >= least:
        verdict = "enough" if rows >= recommended else "least"
    return Sufficiency(task=name, least=least, recommended=recommended, verdict=verdict)


def advice(rows: int, task: Task | None) -> str | None:
    """What to do about it, in one line; None where there is enough."""
    amount = judge(rows, task)
    if amount.verdict == "enough":
        return None
    if rows <= _FEW:
        return (
            "try few-shot prompting or retrieval first; to train, collect 50-100 core rows for a pilot, then add what "
            f"it lacks, up to {amount.recommended:,}"
        )
    if amount.verdict == "least":
        return f"train a pilot on 50-100 core rows first, then add what it lacks, up to {amount.recommended:,}"
    return f"train a pilot on 50-100 core rows first, then collect {amount.least:,} at least"
