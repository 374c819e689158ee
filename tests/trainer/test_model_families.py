"""Every architecture that can be planned: its linears, and adapters merged into it."""

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from trainer_model import make_tiny
from transformers import AutoModelForCausalLM, PreTrainedModel

from finetune_core.contract import ModelShape
from finetune_core.planning.shapes import _ARCHITECTURES, shape_from_config
from finetune_trainer import merge as merging
from finetune_trainer.model import trainable_parameters

QUIET_PEFT = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(params=_ARCHITECTURES)
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    """A tiny model of each type."""
    return make_tiny(request.param).eval()


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
