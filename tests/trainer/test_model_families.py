"""Every architecture that can be planned: its linears, adapters merged into it, and what a step takes of memory."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from simulate import count
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from finetune_core.api.plan import ResolvedLora
from finetune_core.contract import ModelShape
from finetune_core.planning.memory import predict
from finetune_core.planning.shapes import _ARCHITECTURES, shape_from_config, shipped_shape
from finetune_core.planning.training_shape import TrainingShape
from finetune_trainer import merge as merging
from finetune_trainer.model import trainable_parameters

QUIET_PEFT = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(params=_ARCHITECTURES)
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    """A tiny model of each type."""
    torch.manual_seed(4)
    config = AutoConfig.for_model(
        request.param, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, vocab_size=64, pad_token_id=0, bos_token_id=None, eos_token_id=1,
    )  # fmt: skip
    made: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return made.eval()


def shape_of(model: PreTrainedModel) -> ModelShape:
    return shape_from_config(model.config.to_dict(), "config.json")


def test_the_linears_of_a_layer_are_those_of_transformers(model: PreTrainedModel) -> None:
    layer = model.get_decoder().layers[0]
    linears = {
        name.rpartition(".")[2]: (module.in_features, module.out_features)
        for name, module in layer.named_modules()
        if isinstance(module, nn.Linear)
    }
    assert shape_of(model).linear_shapes == linears


@QUIET_PEFT
def test_adapters_of_all_linears_are_merged_into_what_the_model_gave_with_them(
    model: PreTrainedModel, tmp_path: Path
) -> None:
    model.save_pretrained(tmp_path / "base")
    targets = list(shape_of(model).linear_shapes)
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=targets, task_type="CAUSAL_LM")).eval()
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.5)
    ids = torch.arange(20)[None]
    with torch.no_grad():
        with adapted.disable_adapter():
            without = adapted(input_ids=ids).logits
        expected = adapted(input_ids=ids).logits
    merging.merge(adapted, trainable_parameters(adapted), tmp_path / "base", tmp_path / "merged", torch.float32)
    with torch.no_grad():
        merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")(input_ids=ids).logits
    torch.testing.assert_close(merged, expected, rtol=1e-4, atol=1e-4)
    assert (expected - without).abs().max() > 0.01


# --- memory -----------------------------------------------------------------------------------------------------------

GLM_9B = shape_from_config(
    {
        "model_type": "glm4", "hidden_size": 4096, "intermediate_size": 13696, "num_hidden_layers": 40,
        "num_attention_heads": 32, "vocab_size": 151552,
    },
    "GLM-4-9B",
)  # fmt: skip
SHAPES = {name: shipped_shape(f"hf://microsoft/{name}") for name in ("Phi-3-mini-4k-instruct", "phi-4")}
SHAPES |= {"GLM-4-9B": GLM_9B}

LORA = ResolvedLora(rank=8, alpha=16, dropout=0.05, target_modules=["all-linear"])
FULL = TrainingShape(
    method="full",
    micro_batch_size=4,
    row_tokens=1024,
    supervised_tokens=64,
    precision="bf16",
    activation_checkpointing=False,
    master_weights="none",
)
ADAPTERS = replace(FULL, method="lora", master_weights=None, lora=LORA)
CASES = {
    "full": FULL,
    "full with masters": replace(FULL, master_weights="fp32"),
    "lora": ADAPTERS,
    "lora of two linears": replace(
        ADAPTERS, lora=LORA.model_copy(update={"target_modules": ["o_proj", "gate_up_proj"], "rank": 64})
    ),
    "lora without dropout": replace(ADAPTERS, lora=LORA.model_copy(update={"dropout": 0.0})),
}


@pytest.mark.filterwarnings("ignore:`gradient_checkpointing_enable` is deprecated:FutureWarning")
@QUIET_PEFT
@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize("training", CASES.values(), ids=CASES)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_predicted_peak_is_what_the_trainer_asks_for(
    shape: ModelShape, training: TrainingShape, checkpointing: bool
) -> None:
    """Of four layers: so few that what is there once weighs more than it would."""
    shape = shape.model_copy(update={"num_layers": 4})
    training = replace(training, activation_checkpointing=checkpointing)
    parts = predict(shape, training)
    states = parts.weights + parts.adapters + parts.gradients + parts.optimizer
    assert parts.total() - parts.runtime == pytest.approx(states + count(shape, training), rel=0.05)


@QUIET_PEFT
@pytest.mark.parametrize("training", [FULL, ADAPTERS], ids=["full", "lora"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_layer_keeps_what_is_predicted_to_a_hundredth(shape: ModelShape, training: TrainingShape) -> None:
    """What six layers take beyond three: nothing that is there once."""
    three, six = (shape.model_copy(update={"num_layers": layers}) for layers in (3, 6))
    counted = count(six, training) - count(three, training)
    predicted = predict(six, training), predict(three, training)
    assert predicted[0].activations - predicted[1].activations == pytest.approx(counted, rel=0.01)
