"""The plan's memory model against the trainer's own tensors, counted on a processor for models of real widths."""

from dataclasses import replace

import pytest
from simulate import count

from finetune_core.api.plan import ResolvedLora
from finetune_core.contract import ModelShape
from finetune_core.planning import shipped_shape
from finetune_core.planning.memory import predict
from finetune_core.planning.training_shape import TrainingShape

LORA = ResolvedLora(rank=8, alpha=16, dropout=0.05, target_modules=["all-linear"])
FULL = TrainingShape(
    method="full",
    micro_batch_size=2,
    row_tokens=1024,
    supervised_tokens=64,
    precision="bf16",
    activation_checkpointing=False,
    master_weights="none",
)
MASTERS = replace(FULL, master_weights="fp32")
ADAPTERS = replace(FULL, method="lora", master_weights=None, lora=LORA)
CASES = {
    "full": FULL,
    "full with masters": MASTERS,
    "full in fp32": replace(MASTERS, precision="fp32"),
    "lora": ADAPTERS,
    "lora of two linears": replace(
        ADAPTERS, lora=LORA.model_copy(update={"target_modules": ["q_proj", "v_proj"], "rank": 64})
    ),
    "lora without dropout": replace(ADAPTERS, lora=LORA.model_copy(update={"dropout": 0.0})),
    "lora in fp32": replace(ADAPTERS, precision="fp32"),
    "lora of long rows": replace(ADAPTERS, micro_batch_size=1, row_tokens=8192, supervised_tokens=8192),
}
SMALL = "Qwen/Qwen3-0.6B"
OTHERS = ("Qwen/Qwen2.5-7B-Instruct", "meta-llama/Llama-3.2-1B-Instruct")
POINTS = [(SMALL, case) for case in CASES] + [(model, case) for model in OTHERS for case in ("full", "lora")]


@pytest.mark.filterwarnings(
    "ignore:.*gradient_checkpointing:FutureWarning"
)  # transformers' old name for it, in PEFT too
@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize(("model", "case"), POINTS)
def test_the_predicted_peak_is_what_the_trainer_asks_for(model: str, case: str, checkpointing: bool) -> None:
    shape = four_layers_of(model)
    training = replace(CASES[case], activation_checkpointing=checkpointing)
    parts = predict(shape, training)
    states = parts.weights + parts.adapters + parts.gradients + parts.optimizer
    assert parts.total() - parts.runtime == pytest.approx(states + count(shape, training), rel=0.05)


def four_layers_of(model: str) -> ModelShape:
    """A layer is as the model's; so few that what is there once weighs more than it would."""
    shape = shipped_shape(f"hf://{model}")
    assert shape is not None
    return shape.model_copy(update={"num_layers": 4})
