"""A mixture of experts: its attention is trained, its experts stay as they are, and what is stored loads anywhere."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from test_trainer_processes import assert_same_numbers, divided
from trainer_jobs import SHARED
from trainer_model import CONTEXT, TRAIN_ROWS, make_tokenizer
from trainer_steps import Bench, Run
from transformers import AutoConfig, AutoModelForCausalLM

from finetune_core.api.job import FineTuneJob

TYPES: dict[str, dict[str, Any]] = {
    "mixtral": {"num_local_experts": 4, "intermediate_size": 96},
    "qwen3_moe": {"num_experts": 6, "num_experts_per_tok": 3, "moe_intermediate_size": 48, "head_dim": 16},
}
JOB = SHARED | {
    "method": "lora",
    "hyperparameters": {
        "maxSteps": 12, "effectiveBatchSize": 8, "microBatchSize": 4, "learningRate": 0.02, "seed": 11,
        "lora": {"dropout": 0.0},
    },
    "output_fields": {"export": "both"},
}  # fmt: skip


@pytest.fixture(scope="module", params=TYPES)
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of random weights, as transformers stores it."""
    folder = tmp_path_factory.mktemp(request.param)
    tokenizer = make_tokenizer()
    torch.manual_seed(7)
    config = AutoConfig.for_model(
        request.param, vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=CONTEXT, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, initializer_range=0.1, **TYPES[request.param],
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def job(bench: Bench, base: Path, tmp_path_factory: pytest.TempPathFactory) -> FineTuneJob:
    return bench.job(tmp_path_factory.mktemp("experts") / "output", model=base, **JOB)


@pytest.fixture(scope="module")
def run(bench: Bench, job: FineTuneJob) -> Run:
    return bench.train(job)


def test_learns_and_says_of_which_linears(run: Run) -> None:
    assert run.losses[-1] < 0.8 * run.losses[0]
    assert "experts stay as they are" in run.config.plan.why("lora.targetModules")
    config = json.loads((run.artifact / "adapter_config.json").read_text("utf-8"))
    assert config["target_modules"] == ["k_proj", "o_proj", "q_proj", "v_proj"]


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # from PEFT
def test_the_adapter_and_the_merged_model_have_one_loss_in_plain_libraries(run: Run, base: Path) -> None:
    tokenizer = make_tokenizer()
    text = tokenizer.apply_chat_template([{"role": "user", "content": TRAIN_ROWS[0]["instruction"]}], tokenize=False)
    tokens = tokenizer(text, return_tensors="pt")["input_ids"]

    def logits(model: torch.nn.Module) -> torch.Tensor:
        with torch.no_grad():
            found: torch.Tensor = model.eval()(input_ids=tokens).logits
        return found

    plain = AutoModelForCausalLM.from_pretrained(base)
    before = logits(plain)
    adapted = logits(PeftModel.from_pretrained(plain, run.artifact))
    merged = logits(AutoModelForCausalLM.from_pretrained(run.output / "model"))
    torch.testing.assert_close(merged, adapted, atol=1e-4, rtol=1e-4)
    assert (adapted - before).abs().max() > 0.1
    assert run.report.merged_loss_difference == pytest.approx(0, abs=1e-4)


def test_the_merged_model_has_the_experts_of_the_base(run: Run, base: Path) -> None:
    before, after = load_file(base / "model.safetensors"), load_file(run.output / "model" / "model.safetensors")
    assert before.keys() == after.keys()
    changed = {name.split(".")[-2] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"q_proj", "k_proj", "v_proj", "o_proj"}


def test_two_processes_that_divide_it_have_the_numbers_of_one(
    bench: Bench, base: Path, run: Run, tmp_path: Path
) -> None:
    config = divided(bench.trainer_config(bench.job(tmp_path / "output", model=base, **JOB)), 2, "full")
    assert_same_numbers(bench.train_again(config), run, 1e-4)
