"""Progress: one JSON line on standard output for each logged step."""

import math
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, FiniteFloat, PlainSerializer, ValidationError

from finetune_core.api.base import ApiModel

PROGRESS_PREFIX = "finetune-progress: "
STAGE_PREFIX = "finetune-stage: "
"""Before a line that says in words what the step does now."""


def _from_json(value: Any) -> Any:
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else value


def _to_json(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


Number = Annotated[float, BeforeValidator(_from_json), PlainSerializer(_to_json, when_used="json")]
"""A float that survives JSON: not-finite values travel as strings."""


Whole = Annotated[int, Field(ge=0, le=2**53)]
"""An integer that every reader of JSON can hold: a log is not to be trusted."""


class Progress(ApiModel):
    """One logged step. Field names in JSON are snake_case, as in ``metrics.jsonl``."""

    model_config = ApiModel.model_config | {"alias_generator": None, "extra": "ignore"}

    step: Whole
    total_steps: Whole
    epoch: FiniteFloat
    time: FiniteFloat
    """Seconds since the epoch."""
    loss: Number | None = None
    """Mean over the supervised tokens since the line before."""
    eval_loss: Number | None = None
    learning_rate: FiniteFloat | None = None
    grad_norm: Number | None = None
    """Before clipping."""
    tokens_per_second: FiniteFloat | None = None
    """Tokens trained on, prompts included and padding not."""
    peak_memory_bytes: Whole | None = None


def format_progress(progress: Progress) -> str:
    """The line for standard output, without its newline."""
    return PROGRESS_PREFIX + progress.to_json()


def parse_progress(line: str) -> Progress | None:
    """The progress in a line of a log; None for any other line, a damaged one included."""
    if not line.startswith(PROGRESS_PREFIX):
        return None
    try:
        return Progress.model_validate_json(line.removeprefix(PROGRESS_PREFIX))
    except ValidationError:
        return None


def format_stage(text: str) -> str:
    """The line for standard output that says what the step does now, without its newline."""
    return STAGE_PREFIX + text


def parse_stage(line: str) -> str | None:
    """What a step says it does; None for any other line."""
    return line.removeprefix(STAGE_PREFIX).strip() if line.startswith(STAGE_PREFIX) else None
