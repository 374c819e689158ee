"""What the jobs of these tests say."""

from typing import Any

Spec = dict[str, Any]

STEPS = 20
SETTINGS: Spec = {
    "maxSteps": STEPS,
    "effectiveBatchSize": 8,
    "microBatchSize": 4,
    "loggingSteps": 3,  # no divisor of the other intervals, so that stops fall between two lines
    "seed": 11,
}
ADAPTER = SETTINGS | {"learningRate": 0.02}
WHOLE = SETTINGS | {"learningRate": 0.003}
SHARED: Spec = {
    "evaluation": {"everySteps": 7, "earlyStoppingPatience": 0, "samples": {"count": 2, "maxNewTokens": 4}},
    "checkpoints": {"everySteps": 5, "keep": 2},
}

METHODS: dict[str, Spec] = {
    "lora": SHARED | {"method": "lora", "hyperparameters": ADAPTER},
    "lora-bf16": SHARED
    | {"method": "lora", "hyperparameters": ADAPTER | {"precision": "bf16"}, "output_fields": {"export": "both"}},
    "qlora": SHARED | {"method": "qlora", "hyperparameters": ADAPTER, "output_fields": {"export": "both"}},
    "full": SHARED | {"method": "full", "hyperparameters": WHOLE},
    "full-kahan": SHARED
    | {"method": "full", "hyperparameters": WHOLE | {"precision": "bf16", "masterWeights": "none"}},
}
"""A job for each method."""

PATIENCE = 2
OVERFITTING: Spec = {
    "method": "full",
    "hyperparameters": WHOLE | {"learningRate": 0.01, "maxSteps": 100, "lrScheduler": "constant", "warmupRatio": 0.0},
    "evaluation": {"everySteps": 2, "earlyStoppingPatience": PATIENCE, "samples": {"count": 0}},
    "checkpoints": {"everySteps": 100, "keep": 1},
}
"""With validation answers that contradict the training rows, learning must soon hurt them."""

QUICK: Spec = {
    "method": "lora",
    "hyperparameters": ADAPTER | {"maxSteps": 2},
    "evaluation": {"earlyStoppingPatience": 0, "samples": {"count": 0}},
}
"""For tests of what happens before and after training."""
