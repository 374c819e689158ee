"""The tiny model, its data, and one reference run of each method, shared by all tests of the trainer."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import trainer_plain_reload
from trainer_jobs import METHODS, OVERFITTING
from trainer_model import CONTRADICTIONS, TRAIN_ROWS, VALIDATION_ROWS, Row, make_tokenizer, save_tiny_model, write_rows
from trainer_steps import DEADLINE_SECONDS, ENVIRONMENT, Bench, Run, run_of, start_fork_server
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from finetune_trainer.attention import ROW_BY_ROW
from hub_server import HubServer, hub_server

torch.set_num_threads(1)  # fastest for so small a model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny Llama."""
    return save_tiny_model(tmp_path_factory.mktemp("tiny-llama"))


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    """The tiny model's tokenizer; a new one for each test, because tests change its template."""
    return make_tokenizer()


@pytest.fixture(scope="session")
def llama(tiny_model: Path) -> LlamaForCausalLM:
    """The tiny model in this process."""
    return LlamaForCausalLM.from_pretrained(tiny_model, attn_implementation=ROW_BY_ROW).eval()


@pytest.fixture(scope="session")
def bench(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Jobs and steps on the tiny model."""
    start_fork_server()
    folder = tmp_path_factory.mktemp("bench")
    return Bench(
        model=tiny_model,
        data=write_rows(folder / "train.jsonl", TRAIN_ROWS),
        validation=write_rows(folder / "validation.jsonl", VALIDATION_ROWS),
        folder=folder,
    )


@pytest.fixture(scope="session")
def runs(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """One run of each method, never interrupted; that of LoRA in interpreters of its own, as users start it."""
    folder = tmp_path_factory.mktemp("runs")
    configs = {
        label: bench.trainer_config(bench.job(folder / label, **spec), fresh=label == "lora")
        for label, spec in METHODS.items()
    }
    steps = {label: bench.start(config, fresh=label == "lora") for label, config in configs.items()}
    return {label: run_of(configs[label], step.end()) for label, step in steps.items()}


@pytest.fixture(params=METHODS)
def run(request: pytest.FixtureRequest, runs: dict[str, Run]) -> Run:
    """The uninterrupted run of each method in turn."""
    return runs[request.param]


@pytest.fixture(scope="session")
def contradictions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A validation set that contradicts the training rows."""
    return write_rows(tmp_path_factory.mktemp("data") / "contradictions.jsonl", CONTRADICTIONS)


@pytest.fixture(scope="session")
def overfitted(bench: Bench, contradictions: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that early stopping ended."""
    output = tmp_path_factory.mktemp("overfitted") / "output"
    return bench.train(bench.job(output, validation=contradictions, **OVERFITTING))


@pytest.fixture(scope="session")
def pushed(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Run, HubServer]]:
    """A run of LoRA that leaves a merged model alone and pushes it to a hub."""
    token = "hf_" + "hidden"
    secret = tmp_path_factory.mktemp("secret")
    (secret / "HF_TOKEN").write_text(token)
    with hub_server(token) as hub, pytest.MonkeyPatch.context() as patch:
        settings = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1"}
        for name, value in settings.items():
            patch.setitem(ENVIRONMENT, name, value)
        wanted = {"export": "merged", "push": "hf://org/curt"}
        job = bench.job(tmp_path_factory.mktemp("merged") / "merged", **METHODS["lora"], output_fields=wanted)
        config = bench.trainer_config(job)
        assert config.push is not None
        opened = config.model_copy(update={"push": config.push.model_copy(update={"credentials": str(secret)})})
        yield bench.train_again(opened, fresh=True), hub


@pytest.fixture(scope="session")
def reloaded(
    runs: dict[str, Run],
    overfitted: Run,
    pushed: tuple[Run, HubServer],
    bench: Bench,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, dict[str, float]]:
    """Losses ``[label]["base" | "tuned" | "merged"]``, as a program without our code measures them."""
    cases = {label: _reload_case(run, bench, VALIDATION_ROWS) for label, run in runs.items()}
    cases["merged"] = _reload_case(pushed[0], bench, VALIDATION_ROWS)
    cases["overfitted"] = _reload_case(overfitted, bench, CONTRADICTIONS)
    request = tmp_path_factory.mktemp("reload") / "request.json"
    request.write_text(json.dumps(cases), encoding="utf-8")
    program = [sys.executable, trainer_plain_reload.__file__, str(request)]
    ended = subprocess.run(
        program, capture_output=True, text=True, env=os.environ | ENVIRONMENT, timeout=DEADLINE_SECONDS
    )
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, dict[str, float]] = json.loads(ended.stdout.splitlines()[-1])
    return answer


def _reload_case(run: Run, bench: Bench, rows: list[Row]) -> dict[str, Any]:
    settings = run.config.hyperparameters
    quantization = settings.quantization and {
        "bnb_4bit_quant_type": settings.quantization.type,
        "bnb_4bit_use_double_quant": settings.quantization.double_quantization,
    }
    return {
        "base": str(bench.model),
        "artifact": str(run.artifact),
        "adapter": run.config.leaves_adapter,
        "merged": str(run.output / "model") if run.config.merges else None,
        "dtype": {"fp32": "float32", "bf16": "bfloat16"}[settings.precision],
        "quantization": quantization,
        "rows": rows,
    }
