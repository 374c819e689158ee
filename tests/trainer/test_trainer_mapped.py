"""A model that is divided comes from its files part by part: the same model, and never whole in a process's memory."""

import json
import multiprocessing
import shutil
from pathlib import Path

import pytest
import torch
import trainer_child
from trainer_jobs import METHODS
from trainer_model import make_tiny
from trainer_steps import DEADLINE_SECONDS, Bench
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from finetune_core.contract import TrainerConfig
from finetune_core.errors import ModelUnavailable
from finetune_core.planning.shapes import _ARCHITECTURES
from finetune_trainer.mapped import fill, map_model
from finetune_trainer.model import load_model
from servers import free_port

CPU = torch.device("cpu")
LAYERS = 20
QUIET_PEFT = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def configs(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> dict[str, TrainerConfig]:
    """What the training step of each method is told."""
    folder = tmp_path_factory.mktemp("configs")
    return {label: bench.trainer_config(bench.job(folder / label, **spec)) for label, spec in METHODS.items()}


def stored_as(dtype: torch.dtype, model: PreTrainedModel, folder: Path) -> Path:
    """The model's folder, in that number format."""
    model.to(dtype).save_pretrained(folder)
    return folder


def assert_same_model(folder: Path, config: TrainerConfig) -> None:
    torch.manual_seed(3)
    expected = load_model(folder, config, CPU)
    torch.manual_seed(3)
    model, values = map_model(folder, config)
    assert values
    fill(model, values, CPU)
    assert not values
    theirs, ours = dict(expected.named_parameters()), dict(model.named_parameters())
    assert ours.keys() == theirs.keys()
    for name, parameter in ours.items():
        assert type(parameter) is type(theirs[name])
        assert parameter.requires_grad == theirs[name].requires_grad, name
        torch.testing.assert_close(parameter.data, theirs[name].data, rtol=0, atol=0, msg=name)
        if getattr(parameter, "quant_state", None) is not None:
            packed, wanted = (each.quant_state.as_dict(packed=True) for each in (parameter, theirs[name]))
            torch.testing.assert_close(packed, wanted, rtol=0, atol=0, msg=name)
    torch.testing.assert_close(dict(model.named_buffers()), dict(expected.named_buffers()), rtol=0, atol=0)
    assert model.generation_config.to_dict() == expected.generation_config.to_dict()
    assert (repr(model), model.training) == (repr(expected), expected.training)


@QUIET_PEFT
@pytest.mark.parametrize("stored", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("label", METHODS)
def test_it_is_the_same_model(
    configs: dict[str, TrainerConfig], tmp_path: Path, label: str, stored: torch.dtype
) -> None:
    assert_same_model(stored_as(stored, make_tiny("llama"), tmp_path), configs[label])


@pytest.mark.parametrize("model_type", _ARCHITECTURES)
def test_it_is_the_same_of_every_type(configs: dict[str, TrainerConfig], tmp_path: Path, model_type: str) -> None:
    """Gemma's types tie their embeddings, and scale them by a number that is not stored."""
    folder = stored_as(torch.bfloat16, make_tiny(model_type), tmp_path)
    assert_same_model(folder, configs["full"])
    model, values = map_model(folder, configs["full"])
    fill(model, values, CPU)
    tied = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert tied == model.config.tie_word_embeddings


def test_files_of_mixed_number_formats_lose_nothing(configs: dict[str, TrainerConfig], tmp_path: Path) -> None:
    model = make_tiny("llama")
    model.model.bfloat16()
    model.save_pretrained(tmp_path)
    assert_same_model(tmp_path, configs["full"])


@pytest.mark.parametrize("damage", ["absent", "cut"])
def test_what_is_wrong_with_the_files_is_said_as_ever(
    bench: Bench, configs: dict[str, TrainerConfig], tmp_path: Path, damage: str
) -> None:
    folder = shutil.copytree(bench.model, tmp_path / "model")
    weights = folder / "model.safetensors"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-1000])
    else:
        weights.unlink()
    with pytest.raises(ModelUnavailable) as expected:
        load_model(folder, configs["lora"], CPU)
    with pytest.raises(ModelUnavailable) as found:
        map_model(folder, configs["lora"])
    assert str(found.value) == str(expected.value)


def test_two_processes_need_the_memory_of_one_model(
    bench: Bench, configs: dict[str, TrainerConfig], tmp_path: Path
) -> None:
    """170 MB in fp32, from files in bf16; each process has a half of it, and for a moment a whole layer."""
    torch.manual_seed(5)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=500, hidden_size=512, intermediate_size=768, num_hidden_layers=LAYERS, num_attention_heads=8,
            tie_word_embeddings=False,
        )
    ).bfloat16()  # fmt: skip
    model.save_pretrained(tmp_path / "model")
    forks = multiprocessing.get_context("forkserver")
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    processes = [
        forks.Process(
            target=trainer_child.divide,
            args=(
                shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
                str(tmp_path / "model"),
                configs["full"].to_json(),
                str(tmp_path / f"answer-{rank}"),
            ),
        )
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(DEADLINE_SECONDS)
        assert process.exitcode == 0
    peaks = [json.loads((tmp_path / f"answer-{rank}").read_text()) for rank in range(2)]
    whole = sum(4 * parameter.numel() for parameter in model.parameters())
    assert whole < sum(peaks) < 1.3 * whole
    weights = torch.load(tmp_path / "answer-0.pt")
    torch.testing.assert_close(weights, {k: v.float() for k, v in model.state_dict().items()}, rtol=0, atol=0)
