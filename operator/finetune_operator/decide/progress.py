"""Progress as the status tells it."""

import math
from datetime import datetime

from finetune_core.api import Plan
from finetune_core.api.status import ProgressStatus
from finetune_core.contract import RunReport
from finetune_operator.decide.observed import LogTail

LONGEST_ETA_SECONDS = 10 * 365 * 86_400
"""More than that is no forecast but an odd clock in a log."""


def from_log(log: LogTail) -> ProgressStatus | None:
    """The newest logged step; None before the first."""
    newest = log.progress
    if newest is None:
        return None
    seconds = (newest.total_steps - newest.step) * (math.nan if log.seconds_per_step is None else log.seconds_per_step)
    eta = round(seconds) if 0 <= seconds <= LONGEST_ETA_SECONDS else None
    return ProgressStatus(
        step=newest.step,
        total_steps=newest.total_steps,
        steps=f"{newest.step}/{newest.total_steps}",
        epoch=newest.epoch,
        loss=_rounded(newest.loss),
        eval_loss=_rounded(newest.eval_loss),
        learning_rate=_rounded(newest.learning_rate),
        grad_norm=_rounded(newest.grad_norm),
        tokens_per_second=_rounded(newest.tokens_per_second),
        eta_seconds=eta,
        eta=None if eta is None else for_people(eta),
        peak_memory_bytes=newest.peak_memory_bytes,
        updated_at=log.changed_at,
    )


def from_report(report: RunReport, plan: Plan, before: ProgressStatus | None, now: datetime) -> ProgressStatus:
    """Where a finished run ended; the last lines of its log may never have been read."""
    assert plan.hyperparameters is not None
    total = plan.hyperparameters.total_steps
    return ProgressStatus(
        step=report.steps,
        total_steps=total,
        steps=f"{report.steps}/{total}",
        epoch=round(plan.hyperparameters.epochs * report.steps / total, 4),
        loss=_rounded(report.train_loss),
        eval_loss=_rounded(report.eval_loss),
        learning_rate=before.learning_rate if before is not None else None,
        grad_norm=before.grad_norm if before is not None else None,
        tokens_per_second=before.tokens_per_second if before is not None else None,
        peak_memory_bytes=report.peak_memory_bytes,
        updated_at=now,
    )


def _rounded(value: float | None) -> float | None:
    """Four significant digits, as people read them; None for what is not finite, which JSON has no number for."""
    rounded = math.nan if value is None else float(f"{value:.4g}")  # the largest of numbers round up to infinity
    return rounded if math.isfinite(rounded) else None


def for_people(seconds: int) -> str:
    """``45s``, ``12m``, ``1h20m``, ``2d3h``."""
    if seconds < 60:
        return f"{seconds}s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h{minutes:02d}m"
    return f"{hours // 24}d{hours % 24}h"
