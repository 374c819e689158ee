"""What a run carries from step to step, besides weights and optimizer; stored in every checkpoint."""

import math
from dataclasses import dataclass, field

from finetune_core.api.job import Evaluation
from finetune_core.contract import Progress, format_progress


@dataclass
class State:
    """All of it, as plain values."""

    step: int = 0
    seconds: float = 0.0
    train_loss: float = math.nan
    supervised_tokens: int = 0
    tokens: int = 0
    """Of all processes, and the seconds of the steps that trained on them; up to the last progress line."""
    training_seconds: float = 0.0
    window_tokens: int = 0
    """Tokens since the last progress line, of this process."""
    window_supervised: int = 0
    """Supervised tokens since then, of all processes."""
    eval_loss_before: float | None = None
    best_step: int | None = None
    best_eval_loss: float | None = None
    evaluations_without_gain: int = 0
    stopped_early: bool = False
    answers_before: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    """The progress lines so far, as JSON."""

    def judge(self, eval_loss: float, evaluation: Evaluation) -> bool:
        """Note a validation loss; whether it is the best so far. Decides early stopping."""
        if self.best_eval_loss is None or eval_loss < self.best_eval_loss - evaluation.min_delta:
            self.best_step, self.best_eval_loss, self.evaluations_without_gain = self.step, eval_loss, 0
            return True
        self.evaluations_without_gain += 1
        patience = evaluation.early_stopping_patience
        self.stopped_early = 0 < patience <= self.evaluations_without_gain
        return False

    def log(self, progress: Progress, *, speak: bool) -> None:
        """One progress line, in the metrics and, from the process that speaks for all, on standard output."""
        self.metrics.append(progress.to_json())
        if speak:
            print(format_progress(progress), flush=True)
