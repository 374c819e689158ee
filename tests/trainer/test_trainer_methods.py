"""Each method trained once on the tiny model: what it learns, prints and leaves behind."""

import hashlib
import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from trainer_jobs import METHODS, QUICK, SHARED, STEPS, WHOLE
from trainer_model import TRAIN_ROWS, VALIDATION_ROWS, make_tokenizer
from trainer_steps import Bench, Run, manifest_of
from transformers import LlamaForCausalLM

from finetune_core.api import Plan
from finetune_core.contract import TrainerConfig, parse_stage
from finetune_core.data import Example, Message
from finetune_trainer.model import load_model, trainable_parameters
from finetune_trainer.optimizer import make_optimizer
from finetune_trainer.rows import Order
from finetune_trainer.template import CHATML, ChatEncoder

PAPERS = {
    "report.html", "run-report.json", "plan.json", "dataset-report.json", "metrics.jsonl", "samples.json",
    "trainer-config.json",
}  # fmt: skip
BESIDE_THE_WEIGHTS = {
    "README.md", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
}  # fmt: skip
QUIET_PEFT = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
EVALUATED = [0, 7, 14, STEPS]
LOGGED = [*EVALUATED, *range(3, STEPS, 3)]


def test_the_loss_falls_clearly_on_both_sets(run: Run) -> None:
    assert run.losses[-1] < 0.8 * run.losses[0]
    report = run.report
    assert report.eval_loss_before is not None
    assert report.eval_loss is not None
    assert report.eval_loss < 0.8 * report.eval_loss_before


def test_the_report_tells_of_the_run(run: Run) -> None:
    report = run.report
    assert (report.job_name, report.job_uid) == (run.config.job_name, run.config.job_uid)
    assert (report.steps, report.resumed_from_step, report.stopped_early) == (STEPS, None, False)
    assert report.train_loss == run.losses[-1]
    evaluated = {line["step"]: line["eval_loss"] for line in run.metrics if "eval_loss" in line}
    assert report.eval_loss_before == evaluated[0]
    assert report.eval_loss == min(loss for step, loss in evaluated.items() if step)
    assert report.eval_loss == evaluated[report.best_step]
    per_epoch = run.config.prepare_report.statistics.supervised_tokens
    assert report.supervised_tokens == per_epoch * STEPS * 8 // len(TRAIN_ROWS)
    assert report.peak_memory_bytes is not None
    assert report.peak_memory_bytes > 50_000_000
    assert report.perplexity_before == pytest.approx(math.exp(report.eval_loss_before))
    assert report.perplexity == pytest.approx(math.exp(report.eval_loss))
    assert report.tokens_per_second is not None
    assert 0 < report.tokens_per_second < 1e6
    assert (report.gpu, report.gpus, report.model_flops_utilization, report.accuracy) == (None, 1, None, None)


def test_progress_lines_parse_and_end_at_the_last_step(run: Run) -> None:
    progress = run.ended.progress
    assert [line.step for line in progress] == sorted(LOGGED)
    assert {line.total_steps for line in progress} == {STEPS}
    assert [line.step for line in progress if line.eval_loss is not None] == EVALUATED
    assert progress[-1].epoch == STEPS * 8 / len(TRAIN_ROWS)
    times = [line.time for line in progress]
    assert times == sorted(times)
    for line in progress[1:]:
        assert line.loss is not None
        assert line.learning_rate is not None
        assert line.grad_norm is not None
        assert line.grad_norm > 0
        assert line.tokens_per_second is not None
        assert line.tokens_per_second > 0


def test_progress_lines_are_the_stored_metrics(run: Run) -> None:
    stored = (run.output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [line.to_json() for line in run.ended.progress] == stored


def test_standard_output_is_for_machines_alone(run: Run) -> None:
    others = [line for line in run.ended.stdout.splitlines() if not line.startswith("finetune-progress: ")]
    assert all(parse_stage(line) for line in others), others


def test_everything_of_the_contract_lies_there_and_nothing_else(run: Run) -> None:
    weights = {
        "model": {"model.safetensors", "config.json"},
        "adapter": {"adapter_model.safetensors", "adapter_config.json"},
    }
    kinds = {
        "lora": {"adapter"}, "lora-bf16": {"adapter", "model"}, "qlora": {"adapter", "model"},
        "full": {"model"}, "full-kahan": {"model"},
    }[run.output.name]  # fmt: skip
    files = {path.relative_to(run.output).as_posix() for path in run.output.rglob("*") if path.is_file()}
    expected = {f"{kind}/{name}" for kind in kinds for name in weights[kind] | BESIDE_THE_WEIGHTS}
    assert files == PAPERS | {"manifest.json"} | expected
    folders = {path.relative_to(run.output).as_posix() for path in run.output.rglob("*") if path.is_dir()}
    assert folders == kinds  # no checkpoints, no work folder, not even empty ones


def test_the_manifest_lists_every_file_with_its_true_size_and_digest(run: Run) -> None:
    manifest = manifest_of(run.output)
    assert (manifest.job_name, manifest.job_uid) == (run.config.job_name, run.config.job_uid)
    listed = {file.path: (file.size_bytes, file.sha256) for file in manifest.files}
    there = {
        path.relative_to(run.output).as_posix(): path.read_bytes()
        for path in run.output.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert len(listed) == len(manifest.files)
    assert listed == {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in there.items()}


def test_the_answer_names_the_artifact(run: Run) -> None:
    artifact = run.report.artifact
    assert artifact is not None
    manifest = manifest_of(run.output)
    assert artifact.manifest_sha256 == hashlib.sha256((run.output / "manifest.json").read_bytes()).hexdigest()
    assert artifact.files == len(manifest.files)
    assert artifact.size_bytes == sum(file.size_bytes for file in manifest.files)
    assert (artifact.uri, artifact.method) == (run.config.output.uri, run.config.method)
    assert artifact.report_uri == f"{artifact.uri}/report.html"


def test_the_papers_say_what_was_done(run: Run) -> None:
    assert TrainerConfig.model_validate_json((run.output / "trainer-config.json").read_text()) == run.config
    assert Plan.model_validate_json((run.output / "plan.json").read_text()) == run.config.plan
    stored = json.loads((run.output / "run-report.json").read_text())
    answered = json.loads(run.ended.good_answer)
    told = {key: value for key, value in answered.items() if key not in ("artifact", "versions")}
    assert told.items() <= stored.items()
    assert stored.keys() - told.keys() == {"versions", "predictedMemoryBytes", "dataFingerprint", "seed"}
    assert stored["dataFingerprint"] == run.config.prepare_report.fingerprint
    assert stored["seed"] == 11
    assert stored["predictedMemoryBytes"] == run.config.plan.memory.peak_bytes  # type: ignore[union-attr]
    assert {"torch", "transformers", "peft", "finetune-operator"} <= stored["versions"].keys()
    assert json.loads((run.output / "dataset-report.json").read_text())["usedRows"] == len(TRAIN_ROWS)
    assert "<html" in (run.output / "report.html").read_text(encoding="utf-8")


def test_samples_ask_validation_questions_before_and_after(run: Run) -> None:
    samples = json.loads((run.output / "samples.json").read_text(encoding="utf-8"))
    known = {row["instruction"]: row["output"] for row in VALIDATION_ROWS}
    assert len(samples) == SHARED["evaluation"]["samples"]["count"]
    for sample in samples:
        (question,) = sample["messages"]
        assert sample["reference"] == known[question["content"]]
    assert any(sample["before"] != sample["after"] for sample in samples)


def test_plain_libraries_load_the_result_and_measure_the_reported_losses(
    run: Run, reloaded: dict[str, dict[str, float]]
) -> None:
    measured = reloaded[run.output.name]
    settings = run.config.hyperparameters
    tolerance = 1e-4 if settings.precision == "fp32" else 2e-2
    assert measured["base"] == pytest.approx(run.report.eval_loss_before, rel=tolerance)
    assert measured["tuned"] == pytest.approx(run.report.eval_loss, rel=tolerance)
    assert measured["tuned"] < 0.8 * measured["base"]


@pytest.mark.parametrize(
    ("label", "kind"), [("lora", torch.float32), ("lora-bf16", torch.bfloat16), ("qlora", torch.float32)]
)
def test_an_adapter_holds_its_own_weights_alone_and_names_its_base(
    runs: dict[str, Run], label: str, kind: torch.dtype
) -> None:
    run = runs[label]
    weights = load_file(run.artifact / "adapter_model.safetensors")
    assert all(".lora_A." in name or ".lora_B." in name for name in weights)
    assert {value.dtype for value in weights.values()} == {kind}
    planned = [reason.value for reason in run.config.plan.reasons if reason.field == "adapterParameters"]
    assert [str(sum(value.numel() for value in weights.values()))] == planned
    config = json.loads((run.artifact / "adapter_config.json").read_text())
    assert f"file://{config['base_model_name_or_path']}" == run.config.model.uri
    lora = run.config.hyperparameters.lora
    assert lora is not None
    assert (config["r"], config["lora_alpha"], config["lora_dropout"]) == (lora.rank, lora.alpha, lora.dropout)


@pytest.mark.parametrize(("label", "kind"), [("full", torch.float32), ("full-kahan", torch.bfloat16)])
def test_a_whole_model_is_stored_in_the_precision_it_was_trained_in(
    runs: dict[str, Run], label: str, kind: torch.dtype
) -> None:
    weights = load_file(runs[label].artifact / "model.safetensors")
    assert {value.dtype for value in weights.values()} == {kind}


def test_bf16_weights_learn_as_well_as_fp32_ones(runs: dict[str, Run]) -> None:
    assert runs["full-kahan"].report.eval_loss == pytest.approx(runs["full"].report.eval_loss, rel=0.05)


def test_updates_that_bf16_alone_would_round_away_add_up(runs: dict[str, Run]) -> None:
    settings = runs["full-kahan"].config.hyperparameters.model_copy(update={"learning_rate": 1e-4})
    ours, plain = (torch.nn.Parameter(torch.ones(4, dtype=torch.bfloat16)) for _ in range(2))
    optimizers = [make_optimizer([ours], settings), torch.optim.AdamW([plain], lr=1e-4, weight_decay=0.0)]
    for _ in range(100):
        ours.grad, plain.grad = torch.ones_like(ours), torch.ones_like(plain)
        for optimizer in optimizers:
            optimizer.step()
    assert plain.detach().tolist() == [1.0] * 4
    assert ours.detach().tolist() == pytest.approx([0.99] * 4, abs=0.004)


def textbook_run(config: TrainerConfig, model: LlamaForCausalLM) -> list[dict[str, float]]:
    """Each step's loss, supervised tokens, learning rate and gradient norm; row by row, all logits, plain torch."""
    settings = config.hyperparameters
    encoder = ChatEncoder(make_tokenizer())
    rows = [
        encoder.encode(Example(1, (Message("user", row["instruction"]), Message("assistant", row["output"]))))
        for row in TRAIN_ROWS
    ]
    order = Order(len(rows), settings.effective_batch_size, settings.seed)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=settings.weight_decay)
    lines = []
    for step in range(settings.total_steps):
        batch = [rows[number] for number in order.step(step)]
        losses = []
        for row in batch:
            ids = torch.tensor(row.input_ids)
            mask = torch.tensor(row.mask)[1:]
            logits = model(input_ids=ids[None]).logits[0, :-1]
            losses.append(torch.nn.functional.cross_entropy(logits[mask], ids[1:][mask], reduction="sum"))
        supervised = sum(row.supervised for row in batch)
        loss = torch.stack(losses).sum() / supervised
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
        after = step - settings.warmup_steps
        decay = (1 + math.cos(math.pi * after / (settings.total_steps - settings.warmup_steps))) / 2
        rate = settings.learning_rate * (step / settings.warmup_steps if after < 0 else decay)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        lines.append({"loss": float(loss.detach()), "supervised": supervised, "rate": rate, "norm": float(norm)})
    return lines


def test_training_is_the_textbooks_loop(bench: Bench, tmp_path: Path) -> None:
    """Batches, loss, clipping, weight decay and schedule; a logged loss is the mean over all tokens since the last."""
    hyperparameters = WHOLE | {"weightDecay": 0.1, "maxGradNorm": 0.5, "warmupRatio": 0.2}
    run = bench.train(bench.job(tmp_path / "output", **METHODS["full"] | {"hyperparameters": hyperparameters}))
    model = LlamaForCausalLM.from_pretrained(bench.model, attn_implementation="sdpa")
    textbook = textbook_run(run.config, model)
    previous = 0
    for line in run.metrics[1:]:
        window = textbook[previous : line["step"]]
        tokens = sum(step["supervised"] for step in window)
        assert line["loss"] == pytest.approx(sum(s["loss"] * s["supervised"] for s in window) / tokens, rel=1e-4)
        assert line["learning_rate"] == pytest.approx(window[-1]["rate"], rel=1e-9)
        assert line["grad_norm"] == pytest.approx(window[-1]["norm"], rel=1e-3)
        previous = line["step"]
    assert previous == len(textbook) == STEPS
    assert max(step["norm"] for step in textbook) > 0.5  # so that clipping had something to do


@QUIET_PEFT
def test_evaluating_does_not_change_the_gradients_of_a_quantised_model(runs: dict[str, Run], bench: Bench) -> None:
    """bitsandbytes repacks 4-bit weights at the first evaluation on some processors, for a kernel without gradients."""
    model = load_model(bench.model, runs["qlora"].config, torch.device("cpu"))
    model.get_base_model().set_attn_implementation("sdpa")
    weights = trainable_parameters(model)
    torch.manual_seed(0)
    for parameter in weights.values():
        torch.nn.init.normal_(parameter, std=0.1)
    ids = torch.arange(3, 23)[None]

    def gradients() -> torch.Tensor:
        model.zero_grad()
        model.eval()  # dropout off
        model.enable_input_require_grads()
        model(input_ids=ids, labels=ids).loss.backward()
        return torch.cat([parameter.grad.flatten() for parameter in weights.values()])

    before = gradients()
    with torch.no_grad():
        model(input_ids=ids)
    torch.testing.assert_close(gradients(), before)


@QUIET_PEFT
def test_what_is_trained_is_the_adapter_or_everything(runs: dict[str, Run], bench: Bench) -> None:
    device = torch.device("cpu")
    adapted = load_model(bench.model, runs["lora"].config, device)
    assert trainable_parameters(adapted)
    assert all("lora_" in name for name in trainable_parameters(adapted))
    whole = load_model(bench.model, runs["full"].config, device)
    assert trainable_parameters(whole).keys() == dict(whole.named_parameters()).keys()


def test_activation_checkpointing_and_micro_batches_do_not_change_what_is_learned(
    runs: dict[str, Run], bench: Bench, tmp_path: Path
) -> None:
    hyperparameters = WHOLE | {"activationCheckpointing": True, "microBatchSize": 2}
    job = bench.job(tmp_path / "output", **METHODS["full"] | {"hyperparameters": hyperparameters})
    other = bench.train(job)
    assert other.config.hyperparameters.gradient_accumulation_steps == 4
    assert other.losses == pytest.approx(runs["full"].losses, rel=1e-4)
    assert other.report.eval_loss == pytest.approx(runs["full"].report.eval_loss, rel=1e-3)


def test_prompts_of_ones_own_are_asked(bench: Bench, tmp_path: Path) -> None:
    prompts = ["门是什么颜色？", "What colour is the sky?"]
    evaluation = {"earlyStoppingPatience": 0, "samples": {"prompts": prompts, "maxNewTokens": 3}}
    run = bench.train(bench.job(tmp_path / "output", **QUICK | {"evaluation": evaluation}))
    samples = json.loads((run.output / "samples.json").read_text(encoding="utf-8"))
    assert run.report.steps == 2
    assert [sample["messages"][0]["content"] for sample in samples] == prompts
    assert [sample["reference"] for sample in samples] == [None, None]


def test_a_base_without_chat_template_gets_chatml_and_the_result_says_so(bench: Bench, tmp_path: Path) -> None:
    model = bench.model_copy(tmp_path / "model", "chat_template.jinja")
    run = bench.train(bench.job(tmp_path / "output", model=model, **QUICK))
    assert run.report.steps == 2
    assert (run.artifact / "chat_template.jinja").read_text(encoding="utf-8") == CHATML
