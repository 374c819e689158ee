"""The plan's memory model against the trainer's own tensors, counted on a processor for models of real widths."""

from dataclasses import replace

import pytest
from divided import cases, counted, predicted
from simulate import LORA, NF4, count

from finetune_core.contract import ModelShape
from finetune_core.planning import shipped_shape
from finetune_core.planning.memory import predict
from finetune_core.planning.training_shape import TrainingShape

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
ON_4_BITS = replace(ADAPTERS, method="qlora", quantization=NF4)
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
    "qlora": ON_4_BITS,
    "qlora of few tokens": replace(ON_4_BITS, micro_batch_size=1, row_tokens=128),
    "lora of long rows": replace(ADAPTERS, micro_batch_size=1, row_tokens=8192, supervised_tokens=8192),
}
SMALL = "Qwen/Qwen3-0.6B"
OTHERS = ("Qwen/Qwen2.5-7B-Instruct", "meta-llama/Llama-3.2-1B-Instruct", "microsoft/phi-4", "zai-org/GLM-4-9B-0414")
EXPERTS = ("Qwen/Qwen3-30B-A3B", "mistralai/Mixtral-8x7B-v0.1")
POINTS = [(SMALL, case) for case in CASES] + [(model, case) for model in OTHERS for case in ("full", "lora", "qlora")]
POINTS += [(model, "lora") for model in EXPERTS]


@pytest.mark.filterwarnings(
    "ignore:.*gradient_checkpointing:FutureWarning"
)  # transformers' old name for it, in PEFT too
@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize(("model", "case"), POINTS)
def test_the_predicted_peak_is_what_the_trainer_asks_for(model: str, case: str, checkpointing: bool) -> None:
    shape = four_layers_of(model)
    training = replace(CASES[case], activation_checkpointing=checkpointing)
    parts = predict(shape, training)
    assert parts.total() - parts.runtime - parts.optimizer == pytest.approx(count(shape, training), rel=0.05)


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")
@pytest.mark.parametrize(
    ("model", "case"),
    [
        *(
            (model, case)
            for model in ("microsoft/Phi-3-mini-4k-instruct", "microsoft/phi-4", "zai-org/GLM-4-9B-0414")
            for case in ("full", "lora")
        ),
        *((model, "lora") for model in EXPERTS),
    ],
)
def test_what_a_layer_keeps_is_predicted_to_a_two_hundredth(model: str, case: str) -> None:
    """What eight layers take beyond four, of so many tokens that the peak is where all is kept."""
    training = replace(CASES[case], micro_batch_size=8)
    four = four_layers_of(model)
    eight = four.model_copy(update={"num_layers": 8})
    counted = count(eight, training) - count(four, training)
    more, less = predict(eight, training), predict(four, training)
    predicted = more.total() - more.optimizer - less.total() + less.optimizer
    assert predicted == pytest.approx(counted, rel=0.005)


def four_layers_of(model: str) -> ModelShape:
    """A layer is as the model's; so few that what is there once weighs more than it would."""
    shape = shipped_shape(f"hf://{model}")
    assert shape is not None
    return shape.model_copy(update={"num_layers": 4})


def test_of_two_processes_that_divide_a_model_each_has_what_is_predicted() -> None:
    """With so few tokens that what is gathered makes the peak, and with more."""
    names = [name for name in cases() if "bf16" in name and ("| 8 |" in name or "| 512 | 128 | recomputed" in name)]
    found = counted(names)
    assert len(found) == 6
    assert {name: predicted(cases()[name]) for name in found} == pytest.approx(found, rel=0.06)
