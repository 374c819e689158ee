"""What training leaves: adapter and merged model, their cards, and what is pushed to the hub."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from trainer_jobs import METHODS, QUICK
from trainer_model import VALIDATION_ROWS, make_tokenizer
from trainer_steps import Bench, Run, checkpoint_folder, manifest_of
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, LlamaConfig, LlamaForCausalLM

from finetune_core.contract import Accuracy, Place, TrainerConfig
from finetune_core.contract.environment import TERMINATION_BYTES
from finetune_core.data import Example, Message
from finetune_core.errors import ModelUnavailable
from finetune_trainer import merge as merging
from finetune_trainer.attention import ROW_BY_ROW
from finetune_trainer.export import not_pushed
from finetune_trainer.group import Group
from finetune_trainer.loss import WithLoss
from finetune_trainer.model import trainable_parameters
from finetune_trainer.model_card import model_card
from finetune_trainer.rows import Rows, RowWriter
from finetune_trainer.template import ChatEncoder, Tokens
from hub_server import HubServer

QUIET_PEFT = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
MERGED = ["lora-bf16", "qlora", "merged"]


@pytest.fixture(params=MERGED)
def merged_run(request: pytest.FixtureRequest, runs: dict[str, Run], pushed: tuple[Run, HubServer]) -> Run:
    """Each run that leaves a merged model, in turn."""
    return pushed[0] if request.param == "merged" else runs[request.param]


# --- the merged model -------------------------------------------------------------------------------------------------


def test_plain_transformers_loads_the_merged_model_and_measures_the_reported_difference(
    merged_run: Run, reloaded: dict[str, dict[str, float]]
) -> None:
    measured, report = reloaded[merged_run.output.name], merged_run.report
    assert report.eval_loss is not None
    assert report.merged_loss_difference is not None
    exact = merged_run.config.hyperparameters.precision == "fp32"
    found = measured["merged" if merged_run.config.leaves_adapter else "tuned"]
    assert found == pytest.approx(report.eval_loss + report.merged_loss_difference, rel=1e-4 if exact else 2e-2)
    assert found < 0.8 * measured["base"]
    if merged_run.config.method == "lora":
        assert abs(report.merged_loss_difference) < (1e-4 if exact else 0.1)
    else:  # the base that it rests on is another than it was trained on
        assert 1e-4 < abs(report.merged_loss_difference) < 0.5


def test_an_adapter_of_qlora_is_merged_into_the_base_as_it_was_and_not_into_its_4_bit_numbers(
    runs: dict[str, Run], bench: Bench
) -> None:
    run = runs["qlora"]
    base, merged = load_file(bench.model / "model.safetensors"), load_file(run.output / "model" / "model.safetensors")
    adapter = load_file(run.artifact / "adapter_model.safetensors")
    lora = run.config.hyperparameters.lora
    assert lora is not None
    assert merged.keys() == base.keys()
    changed = 0
    for name, weight in base.items():
        module = f"base_model.model.{name.removesuffix('.weight')}"
        if f"{module}.lora_A.weight" in adapter:
            change = adapter[f"{module}.lora_B.weight"] @ adapter[f"{module}.lora_A.weight"] * lora.alpha / lora.rank
            assert change.abs().max() > 1e-3
            torch.testing.assert_close(merged[name], weight + change)
            changed += 1
        else:
            torch.testing.assert_close(merged[name], weight, rtol=0, atol=0)
    assert changed == 14


def test_the_report_page_tells_the_difference(runs: dict[str, Run]) -> None:
    difference = runs["qlora"].report.merged_loss_difference
    assert f"the loss differs by {difference:+.4f}." in (runs["qlora"].output / "report.html").read_text()
    assert "the loss differs by" not in (runs["lora"].output / "report.html").read_text()


@pytest.fixture
def headless(tmp_path: Path) -> tuple[Path, PeftModel]:
    """Folder of a model that was stored without its head, under shorter names; and the model, with an adapter."""
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=64, tie_word_embeddings=True, bos_token_id=None, eos_token_id=0,
    )  # fmt: skip
    folder = tmp_path / "base"
    causal = LlamaForCausalLM(config)
    causal.model.save_pretrained(folder)
    adapted = get_peft_model(causal, LoraConfig(r=2, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM"))
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    return folder, adapted


@QUIET_PEFT
def test_a_base_in_shorter_names_is_merged_into_several_files(
    headless: tuple[Path, PeftModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, adapted = headless
    assert "layers.0.mlp.down_proj.weight" in load_file(base / "model.safetensors")
    ids = torch.arange(10)[None]
    with torch.no_grad():
        expected = adapted.eval()(input_ids=ids).logits
    monkeypatch.setattr(merging, "FILE_BYTES", 9_000)
    merging.refuse_unmergeable(adapted, base)
    merging.release_base(adapted)
    merging.merge(adapted, trainable_parameters(adapted), base, tmp_path / "merged", torch.float32)
    files = sorted((tmp_path / "merged").glob("*.safetensors"))
    assert [file.name for file in files] == [f"model-{n:05d}-of-00005.safetensors" for n in range(1, 6)]
    assert all(file.stat().st_size < 9_000 + 2_000 for file in files)  # what describes the weights comes on top
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert loaded.config.architectures == ["LlamaForCausalLM"]
    with torch.no_grad():
        torch.testing.assert_close(loaded(input_ids=ids).logits, expected)


@QUIET_PEFT
def test_a_base_whose_weights_have_other_names_is_refused_before_the_training(
    headless: tuple[Path, PeftModel], tmp_path: Path
) -> None:
    base, adapted = headless
    weights = load_file(base / "model.safetensors")
    save_file({name.replace("mlp", "ffn"): weight for name, weight in weights.items()}, base / "model.safetensors")
    with pytest.raises(ModelUnavailable, match=r"layers\.0\.mlp\.down_proj\.weight is not .* set output\.export"):
        merging.refuse_unmergeable(adapted, base)


@QUIET_PEFT
def test_layers_without_room_on_the_device_come_from_the_disk(headless: tuple[Path, PeftModel], tmp_path: Path) -> None:
    base, adapted = headless
    with RowWriter(tmp_path / "rows.arrow") as writer:
        for start in range(5):
            writer.write(Tokens(list(range(start, start + 8)), [False] * 4 + [True] * 4))
    rows, device = Rows(tmp_path / "rows.arrow", 64), torch.device("cpu")
    adapted.get_base_model().set_attn_implementation(ROW_BY_ROW)
    expected = merging.sample_loss(WithLoss(adapted), rows, 2, device, Group())
    merging.merge(adapted, trainable_parameters(adapted), base, tmp_path / "merged", torch.float32)
    for room in (None, 1e9, 22_000, 0):
        loss = merging.stored_loss(tmp_path / "merged", rows, 2, device, room)
        assert loss == pytest.approx(expected, rel=1e-5), room


def test_what_two_processes_have_divided_is_merged_as_a_whole(bench: Bench, tmp_path: Path) -> None:
    spec = QUICK | {"hyperparameters": QUICK["hyperparameters"] | {"microBatchSize": 2, "lora": {"dropout": 0.0}}}
    configs = [
        bench.trainer_config(bench.job(tmp_path / name, **spec, output_fields={"export": "both"}))
        for name in ("alone", "divided")
    ]
    plan, settings = configs[1].plan, configs[1].hyperparameters.model_copy(update={"sharding": "full"})
    two = plan.model_copy(update={"gpu": plan.gpu.model_copy(update={"per_node": 2}), "hyperparameters": settings})
    alone, divided = map(bench.train_again, (configs[0], configs[1].model_copy(update={"plan": two})))
    assert divided.report.merged_loss_difference == pytest.approx(0, abs=1e-4)
    expected, merged = (load_file(run.output / "model" / "model.safetensors") for run in (alone, divided))
    assert merged.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(merged[name], weight, rtol=1e-3, atol=1e-4)


def test_without_validation_rows_training_rows_tell_the_difference(bench: Bench, tmp_path: Path) -> None:
    job = bench.job(tmp_path / "output", validation=0.0, **QUICK, output_fields={"export": "merged"})
    run = bench.train(job)
    assert run.report.eval_loss is None
    assert run.report.merged_loss_difference == pytest.approx(0, abs=1e-4)
    assert sorted(path.name for path in run.output.iterdir() if path.is_dir()) == ["model"]


# --- what others load it with -----------------------------------------------------------------------------------------


@QUIET_PEFT
def test_an_adapter_is_stored_in_the_compute_type_and_rounding_costs_next_to_nothing(
    bench: Bench, tmp_path: Path
) -> None:
    """Beside the fp32 weights of the checkpoint, on the same base, computed in fp32 so that nothing else is rounded."""
    spec = METHODS["lora-bf16"] | {"checkpoints": {"everySteps": 5, "keep": 2, "keepAfterSuccess": True}}
    run = bench.train(bench.job(tmp_path / "output", **spec))
    assert run.report.best_step is not None
    trained = load_file(checkpoint_folder(run.config, run.report.best_step) / "weights.safetensors")
    stored = load_file(run.artifact / "adapter_model.safetensors")
    assert {value.dtype for value in trained.values()} == {torch.float32}
    assert {value.dtype for value in stored.values()} == {torch.bfloat16}
    assert {name.replace(".default", "") for name in trained} == stored.keys()

    base = LlamaForCausalLM.from_pretrained(bench.model, attn_implementation=ROW_BY_ROW)
    adapted = PeftModel.from_pretrained(base, run.artifact)  # which makes fp32 of it again
    held_out = tmp_path / "held-out"
    with RowWriter(held_out) as writer:
        for row in VALIDATION_ROWS:
            turns = (Message("user", row["instruction"]), Message("assistant", row["output"]))
            writer.write(ChatEncoder(make_tokenizer()).encode(Example(1, turns)))

    def loss() -> float:
        return merging.sample_loss(WithLoss(adapted), Rows(held_out, 64), 4, torch.device("cpu"), Group())

    rounded = loss()
    assert rounded == pytest.approx(run.report.eval_loss, rel=2e-2)  # that was computed in bf16
    for name, parameter in adapted.named_parameters():
        if name in trained:
            parameter.data = trained[name]
    exact = loss()
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=1e-3)  # 1e-4 was the most of seven seeds


@pytest.mark.parametrize("label", ["lora", "lora-bf16", "qlora"])
def test_an_adapter_is_what_vllm_takes(runs: dict[str, Run], label: str) -> None:
    """As vllm.lora.peft_helper and vllm.lora.lora_model (0.14) read it: names, no extra weights, no bias, no DoRA."""
    folder = runs[label].artifact
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["target_modules"] == sorted(
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    )
    assert (config["bias"], config["modules_to_save"], config["use_dora"]) == ("none", None, False)
    assert not config["rank_pattern"]
    assert not config["alpha_pattern"]
    for name, value in load_file(folder / "adapter_model.safetensors").items():
        *path, module, part, weight = name.split(".")
        assert path[:3] == ["base_model", "model", "model"]
        assert (module in config["target_modules"], weight) == (True, "weight")
        assert value.shape[{"lora_A": 0, "lora_B": 1}[part]] == config["r"]


def test_an_answer_ends_where_the_chat_template_ends_it(run: Run) -> None:
    for folder in {run.artifact, run.output / "model"} if run.config.leaves_model else {run.artifact}:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        ends = GenerationConfig.from_pretrained(folder).eos_token_id
        assert tokenizer.convert_ids_to_tokens(ends) == ["<|endoftext|>", "<|im_end|>"]


def test_a_published_generation_config_that_contradicts_itself_does_not_lose_the_run(
    bench: Bench, tmp_path: Path
) -> None:
    model = bench.model_copy(tmp_path / "model")
    (model / "generation_config.json").write_text('{"temperature": 0.6, "top_p": 0.9, "eos_token_id": 0}')
    run = bench.train(bench.job(tmp_path / "output", model=model, **QUICK))
    kept = json.loads((run.artifact / "generation_config.json").read_text())
    assert (kept["temperature"], kept["top_p"], kept["do_sample"], kept["eos_token_id"]) == (0.6, 0.9, True, [0, 2])


# --- the model card ---------------------------------------------------------------------------------------------------


def test_each_folder_has_a_card_that_the_hub_reads(run: Run, bench: Bench) -> None:
    for folder in (path for path in (run.output / "adapter", run.output / "model") if path.is_dir()):
        card = ModelCard.load(folder / "README.md")
        assert card.data.library_name == ("peft" if folder.name == "adapter" else "transformers")
        assert card.data.tags == ["fine-tuned", run.config.method, "finetune-operator"]
        assert card.data.base_model is None  # a folder of some machine is none that the hub knows
        report = run.report
        assert f"| validation loss | {report.eval_loss_before:.4f} | {report.eval_loss:.4f} |" in card.text
        assert "32 rows to train on" in card.text
        assert "8 to validate" in card.text
        assert "More Information Needed" not in card.text
        assert str(bench.model.parent) not in card.content
        assert str(run.output.parent) not in card.content


def on_the_hub(config: TrainerConfig, rank: int = 8) -> TrainerConfig:
    """The same, with a base of the hub and adapters of that rank."""
    lora = config.hyperparameters.lora
    assert lora is not None
    settings = config.hyperparameters.model_copy(update={"lora": lora.model_copy(update={"rank": rank})})
    return config.model_copy(
        update={
            "model": Place(uri="hf://Qwen/Qwen2.5-7B@v1"),
            "plan": config.plan.model_copy(update={"hyperparameters": settings}),
        }
    )


@pytest.mark.parametrize(("kind", "relation"), [("adapter", "adapter"), ("model", "finetune")])
def test_a_card_names_a_base_of_the_hub(runs: dict[str, Run], kind: str, relation: str) -> None:
    run = runs["qlora"]
    text = model_card(on_the_hub(run.config), run.report, kind)
    about = yaml.safe_load(text.split("---\n")[1])
    assert (about["base_model"], about["base_model_relation"]) == ("Qwen/Qwen2.5-7B", relation)
    assert "[Qwen/Qwen2.5-7B](https://huggingface.co/Qwen/Qwen2.5-7B) at `v1`" in text


def test_a_card_tells_perplexity_and_of_classification_the_accuracy(runs: dict[str, Run]) -> None:
    run = runs["lora"]
    measured = run.report.model_copy(update={"accuracy": Accuracy(rows=8, before=0.125, after=0.875)})
    assert "| validation answers right | 12.5% | 87.5% |" in model_card(run.config, measured, "adapter")
    text = model_card(run.config, run.report, "adapter")
    assert "answers right" not in text
    assert f"| validation perplexity | {run.report.perplexity_before:.4f} | {run.report.perplexity:.4f} |" in text


@pytest.mark.parametrize(
    ("rank", "said"),
    [(8, "--max-lora-rank 8 "), (9, "--max-lora-rank 16 "), (512, "--max-lora-rank 512 "), (513, "up to rank 512")],
)
def test_a_card_says_how_vllm_serves_the_adapter(runs: dict[str, Run], rank: int, said: str) -> None:
    text = model_card(on_the_hub(runs["lora"].config, rank), runs["lora"].report, "adapter")
    assert said in text
    assert ("vllm serve Qwen/Qwen2.5-7B --enable-lora" in text) == ("--revision v1 " in text) == (rank <= 512)


# --- the hub ----------------------------------------------------------------------------------------------------------


def test_what_is_pushed_is_the_folder_that_is_stored(pushed: tuple[Run, HubServer]) -> None:
    run, hub = pushed
    repository = hub.repositories["org/curt"]
    folder = run.output / "model"
    assert repository.branches["main"] == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert (repository.private, repository.commits) == (True, ["bench: lora fine-tuning"])
    assert (run.report.pushed, run.report.push_problem) == (True, None)
    assert f"finetune-stage: pushed: {hub.url}/org/curt" in run.ended.stdout.splitlines()
    assert hub.token not in run.ended.stdout + run.ended.stderr + run.ended.answer


def test_a_push_that_fails_is_named_and_does_not_fail_the_run(bench: Bench, tmp_path: Path) -> None:
    run = bench.train(bench.job(tmp_path / "output", **QUICK, output_fields={"push": "hf://org/name"}))
    problem = "hf://org/name: HF_HUB_OFFLINE forbids to push there: unset it"
    assert (run.report.pushed, run.report.push_problem) == (False, problem)
    assert f"finetune-stage: not pushed: {problem}" in run.ended.stdout.splitlines()
    assert manifest_of(run.output).files


def test_a_long_problem_is_cut_to_what_fits_the_termination_message(runs: dict[str, Run]) -> None:
    short = not_pushed(runs["lora"].report, "没有网络")
    assert (short.pushed, short.push_problem) == (False, "没有网络")
    long = not_pushed(runs["lora"].report, "网" * TERMINATION_BYTES)
    assert TERMINATION_BYTES - 3 < len(long.answer().encode()) <= TERMINATION_BYTES


def test_export_and_push_are_no_part_of_what_is_learned(bench: Bench, tmp_path: Path) -> None:
    fingerprints = {
        bench.trainer_config(bench.job(tmp_path, **METHODS["lora"], output_fields=fields)).plan_fingerprint
        for fields in ({}, {"export": "both"}, {"push": "hf://org/name"})
    }
    assert len(fingerprints) == 1
