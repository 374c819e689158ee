"""The plan: which method for which card, given values that win, reasons for all the others, and no surprises."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import card, data_of, job, plan_of, shape_of
from pydantic.alias_generators import to_camel

from finetune_core.api import Plan
from finetune_core.api.plan import MemoryParts, ResolvedHyperparameters
from finetune_core.api.yaml import load_yaml
from finetune_core.contract import DataStatistics
from finetune_core.planning import catalogue, find_gpu, plan
from finetune_core.planning.methods import METHODS, floor_bytes

QWEN_7B = shape_of("hf://Qwen/Qwen2.5-7B-Instruct")
STRENGTH = {method: strength for strength, method in enumerate(reversed(METHODS), 1)}


def resolved(answer: Plan) -> ResolvedHyperparameters:
    assert answer.hyperparameters is not None
    return answer.hyperparameters


def rejections(answer: Plan) -> dict[str, str]:
    """Method -> why not."""
    return {
        reason.value: reason.because
        for reason in answer.reasons
        if reason.value in METHODS and reason.value != answer.method
    }


class TestTheTable:
    """Qwen2.5-7B on the cards that people have."""

    @pytest.mark.parametrize(
        ("gpu", "method"),
        [
            ("A100-80GB", "full"), ("H100-80GB", "full"), ("H100-NVL", "full"), ("H200", "full"), ("B200", "full"),
            ("A100-40GB", "lora"), ("L40S", "lora"), ("RTX-3090", "lora"), ("RTX-4090", "lora"), ("A10", "lora"),
            ("L4", "lora"), ("RTX-5090", "lora"), ("V100-32GB", "lora"),
            ("RTX-3060", "qlora"), ("RTX-4060-Ti-16GB", "qlora"), ("T4", "qlora"), ("V100-16GB", "qlora"),
            ("RTX-4070", "qlora"),
        ],
    )  # fmt: skip
    def test_gives_each_card_its_method(self, gpu: str, method: str) -> None:
        answer = plan_of(f"gpu.type={gpu}")
        assert (answer.feasible, answer.method, answer.gpu.type) == (True, method, gpu)
        assert "the first of full, lora, qlora that fits" in answer.why("method")

    @pytest.mark.parametrize("gpu", ["RTX-3070", "RTX-3080-10GB"])
    def test_leaves_out_cards_below_12_gb(self, gpu: str) -> None:
        answer = plan_of(f"gpu.type={gpu}")
        assert not answer.feasible
        assert (answer.method, answer.memory, answer.hyperparameters) == (None, None, None)
        assert list(rejections(answer)) == ["full", "lora", "qlora"]
        assert all("rule of thumb" in because for because in rejections(answer).values())

    def test_rejected_methods_say_why(self) -> None:
        assert rejections(plan_of("gpu.type=T4")) == {
            "full": "rule of thumb: full of 7.62B parameters asks for 70.9 GiB, T4 offers 14.6 GiB",
            "lora": "rule of thumb: lora of 7.62B parameters asks for 19.8 GiB, T4 offers 14.6 GiB",
        }
        four = "hyperparameters.microBatchSize=4"
        assert rejections(plan_of("gpu.type=A10", four, data=data_of(tokens=4_096))).keys() == {"full", "lora"}

    @pytest.mark.parametrize("method", METHODS)
    def test_a_card_below_the_floor_gets_the_next_weaker_method(self, method: str) -> None:
        floor = floor_bytes(METHODS[METHODS.index(method)], QWEN_7B.parameters)  # type: ignore[arg-type]
        short = data_of(tokens=16)
        at, below = (
            plan_of(data=short, gpu=replace(find_gpu("A100-80GB"), memory_bytes=size))
            for size in (floor + 2**33, floor - 1)
        )
        assert at.method == method
        assert STRENGTH.get(below.method or "", 0) == STRENGTH[method] - 1
        assert "rule of thumb" in rejections(below)[method]

    def test_a_small_model_on_a_small_card_is_trained_in_full(self) -> None:
        assert plan_of("model.uri=hf://Qwen/Qwen2.5-0.5B-Instruct", "gpu.type=RTX-3060").method == "full"


class TestAMethodByName:
    @pytest.mark.parametrize("method", METHODS)
    def test_is_taken_where_it_fits(self, method: str) -> None:
        answer = plan_of(f"method={method}", "gpu.type=B200")
        assert (answer.method, answer.why("method")) == (method, "given in the job")
        assert rejections(answer) == {}

    def test_passes_by_the_rule_of_thumb(self) -> None:
        short = data_of(tokens=100)
        assert not plan_of("gpu.type=RTX-3070", data=short).feasible
        assert plan_of("gpu.type=RTX-3070", "method=qlora", data=short).feasible

    def test_is_never_replaced(self) -> None:
        answer = plan_of("method=full", "gpu.type=A10")
        assert not answer.feasible
        assert list(rejections(answer)) == ["full"]
        assert answer.reasons[0].because.startswith("full needs ")
        assert "of A10's 22.0 GiB a plan may use 20.9 GiB" in answer.reasons[0].because


# Change -> the resolved values that must come of it.
GIVEN: dict[str, dict[str, Any]] = {
    "hyperparameters.epochs=7.5": {"epochs": 7.5},
    "hyperparameters.maxSteps=17": {"total_steps": 17},
    "hyperparameters.learningRate=3e-4": {"learning_rate": 3e-4},
    "hyperparameters.lrScheduler=linear": {"lr_scheduler": "linear"},
    "hyperparameters={maxSteps: 100, warmupRatio: 0.25}": {"total_steps": 100, "warmup_steps": 25},
    "hyperparameters.warmupRatio=0": {"warmup_steps": 0},
    "hyperparameters.weightDecay=0.1": {"weight_decay": 0.1},
    "hyperparameters.maxGradNorm=0.3": {"max_grad_norm": 0.3},
    "hyperparameters.seed=0": {"seed": 0},
    "hyperparameters.effectiveBatchSize=24": {"effective_batch_size": 24},
    "hyperparameters.microBatchSize=2": {
        "effective_batch_size": 16, "micro_batch_size": 2, "gradient_accumulation_steps": 8,
    },
    "hyperparameters.microBatchSize=3": {
        "effective_batch_size": 15, "micro_batch_size": 3, "gradient_accumulation_steps": 5,
    },
    "hyperparameters.gradientAccumulationSteps=5": {
        "effective_batch_size": 15, "micro_batch_size": 3, "gradient_accumulation_steps": 5,
    },
    "hyperparameters={microBatchSize: 3, gradientAccumulationSteps: 7}": {
        "effective_batch_size": 21, "micro_batch_size": 3, "gradient_accumulation_steps": 7,
    },
    "hyperparameters={effectiveBatchSize: 30, gradientAccumulationSteps: 10}": {
        "effective_batch_size": 30, "micro_batch_size": 3, "gradient_accumulation_steps": 10,
    },
    "hyperparameters.cutoffLength=300": {"cutoff_length": 300},
    "hyperparameters.packing=true": {"packing": True},
    "hyperparameters.precision=fp16": {"precision": "fp16"},
    "hyperparameters.activationCheckpointing=true": {"activation_checkpointing": True},
    "hyperparameters.activationCheckpointing=false": {"activation_checkpointing": False},
    "hyperparameters.trainOnPrompt=true": {"train_on_prompt": True},
    "hyperparameters.loggingSteps=3": {"logging_steps": 3},
    "evaluation.everySteps=11": {"evaluation_steps": 11},
    "hyperparameters.lora={rank: 64}": {"lora.rank": 64, "lora.alpha": 128},
    "hyperparameters.lora={alpha: 5}": {"lora.rank": 8, "lora.alpha": 5},
    "hyperparameters.lora={dropout: 0}": {"lora.dropout": 0},
    "hyperparameters.lora={dropout: 0.5}": {"lora.target_modules": ["all-linear"]},
    "hyperparameters.lora={targetModules: [all-linear]}": {"lora.target_modules": ["all-linear"]},
    "hyperparameters.lora={targetModules: [q_proj, v_proj]}": {"lora.target_modules": ["q_proj", "v_proj"]},
    "hyperparameters.quantization={type: fp4}": {"quantization.type": "fp4", "quantization.double_quantization": True},
    "hyperparameters.quantization={doubleQuantization: no}": {"quantization.double_quantization": False},
}  # fmt: skip


class TestAMixtureOfExperts:
    """Qwen3-30B-A3B: 61 GB of weights, of which the attention's are 1.8."""

    MODEL = "model.uri=hf://Qwen/Qwen3-30B-A3B"

    def test_is_trained_by_adapters_on_its_attention(self) -> None:
        answer = plan_of(self.MODEL, "gpu.type=H100-80GB")
        assert answer.method == "lora"
        assert "needs a loss that keeps all of them in use" in answer.reasons[1].because
        assert answer.why("lora.targetModules").startswith("all linears, which are those of the attention")
        assert answer.memory is not None
        assert answer.memory.parts.weights == 2 * 30_532_122_624
        assert 0.006e9 < int(next(r.value for r in answer.reasons if r.field == "adapterParameters")) < 0.015e9

    @pytest.mark.parametrize("method", ["full", "qlora"])
    def test_is_not_trained_otherwise_and_the_plan_says_why(self, method: str) -> None:
        answer = plan_of(self.MODEL, f"method={method}", "gpu.type=B200", "gpu.perNode=8")
        assert not answer.feasible
        assert "mixture of experts" in answer.reasons[0].because
        assert "choose method lora" in answer.reasons[0].because

    def test_is_fast_for_its_size(self) -> None:
        """A token goes through a tenth of it."""
        dense, mixture = (
            plan_of(f"model.uri=hf://Qwen/{name}", "gpu.type=B200", "method=lora").estimate
            for name in ("Qwen3-32B", "Qwen3-30B-A3B")
        )
        assert dense is not None
        assert mixture is not None
        assert mixture.seconds < 0.5 * dense.seconds

    def test_that_does_not_fit_names_cards_and_models_that_do(self) -> None:
        changes = [found.change for found in plan_of(self.MODEL, "gpu.type=RTX-4090").alternatives]
        assert any(change.startswith("gpu.type=") for change in changes)
        assert "model.uri=hf://Qwen/Qwen3-8B" in changes
        assert not [change for change in changes if change.startswith("method=")]


class TestGivenValues:
    @pytest.mark.parametrize(("change", "values"), GIVEN.items(), ids=GIVEN)
    def test_win(self, change: str, values: dict[str, Any]) -> None:
        answer = resolved(plan_of(change, "method=qlora", "gpu.type=A100-80GB"))
        for path, value in values.items():
            found: Any = answer
            for name in path.split("."):
                found = getattr(found, name)
            assert found == value, path

    @pytest.mark.parametrize("masters", ["fp32", "none"])
    def test_master_weights_win_in_full(self, masters: str) -> None:
        answer = plan_of("method=full", f"hyperparameters.masterWeights={masters}", "gpu.type=B200")
        assert resolved(answer).master_weights == masters
        assert answer.why("masterWeights") == "given in the job"

    @pytest.mark.parametrize(
        "given_field", ["learningRate", "epochs", "seed", "microBatchSize", "cutoffLength", "packing"]
    )
    def test_are_said_to_be_given(self, given_field: str) -> None:
        value = {"learningRate": "1e-4", "epochs": "2", "packing": "false"}.get(given_field, "16")
        assert plan_of(f"hyperparameters.{given_field}={value}", "gpu.type=B200").why(given_field) == "given in the job"

    def test_packed_micro_batches_take_the_room_of_their_longest_rows(self) -> None:
        """Of them all may be supervised, packed; the rest is the same."""

        def parts(*changes: str) -> MemoryParts:
            same = ["hyperparameters.cutoffLength=1024", "hyperparameters.microBatchSize=2"]
            memory = plan_of(*same, *changes, data=data_of(tokens=100, supervised_max=50)).memory
            assert memory is not None
            return memory.parts

        packed, loose = parts(), parts("hyperparameters.packing=false")
        assert packed.logits > loose.logits
        assert packed.model_copy(update={"logits": 0}) == loose.model_copy(update={"logits": 0})

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            (["hyperparameters.microBatchSize=512"], "lora needs "),
            (["hyperparameters.cutoffLength=32768", "hyperparameters.microBatchSize=8"], "lora needs "),
            (["hyperparameters={activationCheckpointing: false, microBatchSize: 16}"], "lora needs "),
            (["hyperparameters.cutoffLength=40000"], "cutoffLength 40000 is more than the model's 32768"),
            (["hyperparameters.precision=fp32"], "lora needs "),
            (["hyperparameters.precision=bf16", "gpu.type=V100-32GB"], "V100-32GB has no bf16: leave it out or write"),
            (["hyperparameters.precision=fp16", "gpu.type=cpu"], "the CPU does not train in it"),
            (["hyperparameters.lora.targetModules=[q_proj, wq]"], "are not all linears of the model: q_proj, k_proj,"),
        ],
    )
    def test_that_cannot_be_had_make_the_plan_infeasible_and_it_says_so(self, changes: list[str], said: str) -> None:
        answer = plan_of("method=lora", *changes, data=data_of(tokens=512, longest=32_768))
        assert not answer.feasible
        assert said in answer.reasons[0].because

    @pytest.mark.parametrize("changes", [["gpu.type=T4"], ["gpu.type=cpu"], ["hyperparameters.precision=fp32"]])
    def test_no_master_weights_without_bf16_is_infeasible(self, changes: list[str]) -> None:
        answer = plan_of(
            "method=full", "model.uri=hf://Qwen/Qwen2.5-0.5B-Instruct", "hyperparameters.masterWeights=none", *changes
        )
        assert not answer.feasible
        assert answer.reasons[0].because == "masterWeights none was given, and it needs precision bf16"

    def test_moments_in_8_bits_without_master_weights_are_infeasible(self) -> None:
        answer = plan_of("method=full", "hyperparameters={optimizer: adamw-8bit, masterWeights: none}", "gpu.type=B200")
        assert not answer.feasible
        assert answer.reasons[0].because == (
            "optimizer adamw-8bit was given with masterWeights none, and it has no compensation for what bf16 weights "
            "round off: leave one of the two out"
        )
        # What is not used does not matter.
        assert plan_of("method=lora", "hyperparameters={optimizer: adamw-8bit, masterWeights: none}").feasible

    @pytest.mark.parametrize("export", ["adapter", "both"])
    def test_an_adapter_that_is_asked_for_rules_full_fine_tuning_out(self, export: str) -> None:
        said = f"output.export {export} was given, and full fine-tuning leaves a whole model without an adapter"
        card = ("gpu.type=H200", f"output.export={export}")
        assert plan_of("gpu.type=H200").method == "full"
        answer = plan_of(*card)
        assert (answer.method, rejections(answer)["full"][: len(said)]) == ("lora", said)
        refused = plan_of("method=full", *card)
        assert (refused.feasible, refused.reasons[0].because[: len(said)]) == (False, said)

    def test_a_merged_model_is_what_full_fine_tuning_leaves_anyway(self) -> None:
        assert plan_of("gpu.type=H200", "output.export=merged") == plan_of("gpu.type=H200")


# Resolved field -> the reason that explains it, where that has another name.
EXPLAINED_BY = {"warmup_steps": "warmupRatio", "evaluation_steps": "evaluation.everySteps"}


class TestReasons:
    @pytest.mark.parametrize(
        "changes",
        [
            ["gpu.type=A100-80GB"], ["gpu.type=A10"], ["gpu.type=T4"], ["gpu.type=cpu"],
            ["hyperparameters.microBatchSize=3"], ["hyperparameters.gradientAccumulationSteps=5"],
            ["hyperparameters={microBatchSize: 3, gradientAccumulationSteps: 7}"], ["hyperparameters.maxSteps=5"],
            ["hyperparameters.trainOnPrompt=true"],
        ],
        ids=str,
    )  # fmt: skip
    def test_every_value_has_one_that_names_it(self, changes: list[str]) -> None:
        answer = plan_of(*changes)
        values = {reason.field: load_yaml(reason.value) for reason in answer.reasons if reason.field != "method"}
        assert len(values) == len([reason for reason in answer.reasons if reason.field != "method"])
        assert all(reason.because for reason in answer.reasons)
        for name, value in resolved(answer).model_dump().items():
            if name in ("lora", "quantization") and value is not None:
                for below, setting in value.items():
                    written = ", ".join(setting) if isinstance(setting, list) else setting
                    assert values.pop(f"{name}.{to_camel(below)}") == written
            elif name == "warmup_steps":
                assert value == round(values.pop("warmupRatio") * resolved(answer).total_steps)
            elif value is not None:
                assert values.pop(EXPLAINED_BY.get(name, to_camel(name))) == value
        assert answer.pod is not None
        assert values.pop("pod.storeSeconds") == answer.pod.store_seconds
        assert values.keys() <= {"adapterParameters"}

    @pytest.mark.parametrize(
        ("change", "field", "text"),
        [
            ("hyperparameters.learningRate=0.00005", "learningRate", "5e-05"),
            ("hyperparameters.learningRate=1e-4", "learningRate", "0.0001"),
            ("hyperparameters.epochs=3.0", "epochs", "3"),
            ("hyperparameters.trainOnPrompt=yes", "trainOnPrompt", "true"),
            ("hyperparameters.lora.targetModules=[q_proj, v_proj]", "lora.targetModules", "q_proj, v_proj"),
            ("hyperparameters.seed=12345", "seed", "12345"),
        ],
    )
    def test_values_are_written_as_in_a_job_file(self, change: str, field: str, text: str) -> None:
        assert [reason.value for reason in plan_of(change).reasons if reason.field == field] == [text]

    def test_the_first_is_the_method_chosen(self) -> None:
        assert [reason.value for reason in plan_of().reasons if reason.field == "method"] == ["lora", "full"]

    @pytest.mark.parametrize(
        ("changes", "data", "field", "because"),
        [
            ([], data_of(rows=50), "epochs", "50 rows are in the band that takes 5-10 epochs"),
            ([], data_of(rows=50), "lora.rank", "fewer than 100 rows"),
            (["dataset.task=reasoning"], data_of(), "lora.rank", "rank guide for task reasoning"),
            ([], data_of(), "totalSteps", "3 epochs of 1,000 rows, 16 a step"),
            ([], data_of(), "cutoffLength", "99 % of the rows have at most 512 tokens"),
            (["gpu.type=T4"], data_of(), "precision", "T4 has no bf16"),
            (["gpu.type=A100-80GB"], data_of(), "masterWeights", "fp32 weights do not fit"),
            (["gpu.type=B200"], data_of(), "masterWeights", "16 bytes a parameter fit"),
            (
                ["gpu.type=H200", "method=full", "hyperparameters.optimizer=adamw-8bit"],
                data_of(),
                "masterWeights",
                "10 bytes a parameter fit",
            ),
            ([], data_of(), "optimizer", "default"),
            (
                ["hyperparameters.optimizer=adamw-8bit"],
                data_of(),
                "optimizer",
                "given in the job: moments in 8 bits, 2 bytes a trained parameter instead of 8",
            ),
        ],
    )
    def test_name_the_rule(self, changes: list[str], data: DataStatistics, field: str, because: str) -> None:
        assert because in plan_of(*changes, data=data).why(field)

    def test_of_what_is_not_used_there_is_none(self) -> None:
        full, lora = plan_of("gpu.type=A100-80GB"), plan_of()
        assert (resolved(full).lora, resolved(full).quantization) == (None, None)
        assert (resolved(lora).master_weights, resolved(lora).quantization) == (None, None)
        assert (full.why("lora.rank"), lora.why("quantization.type"), lora.why("masterWeights")) == ("", "", "")


class TestPrecision:
    @pytest.mark.parametrize("gpu", [gpu for gpu in catalogue() if not gpu.is_cpu], ids=lambda gpu: gpu.name)
    def test_is_bf16_where_the_card_has_it_and_else_fp16(self, gpu: Any) -> None:
        answer = plan_of("model.uri=hf://Qwen/Qwen2.5-0.5B-Instruct", gpu=gpu)
        assert resolved(answer).precision == ("bf16" if gpu.bf16 else "fp16")

    def test_of_a_processor_is_fp32(self) -> None:
        answer = plan_of("model.uri=hf://Qwen/Qwen3-0.6B", "gpu.type=cpu")
        assert resolved(answer).precision == "fp32"

    @pytest.mark.parametrize("like", ["A100-80GB", "T4"])
    def test_masters_are_left_out_only_with_bf16(self, like: str) -> None:
        masters = {resolved(answer).master_weights for answer in self._full_plans(like)}
        assert masters == ({"fp32", "none"} if like == "A100-80GB" else {"fp32"})

    def _full_plans(self, like: str) -> list[Plan]:
        plans = [plan_of("method=full", gpu=card(gib, like=like)) for gib in (72, 80, 96, 128, 160, 256)]
        return [answer for answer in plans if answer.feasible]


class TestMemory:
    @pytest.mark.parametrize("gpu", catalogue(), ids=lambda gpu: gpu.name)
    def test_parts_add_up_to_the_peak_and_the_peak_is_within_the_budget(self, gpu: Any) -> None:
        answer = plan_of("model.uri=hf://Qwen/Qwen2.5-0.5B-Instruct", gpu=gpu)
        assert answer.memory is not None
        assert answer.memory.parts.total() == answer.memory.peak_bytes
        assert answer.memory.peak_bytes <= answer.memory.budget_bytes < gpu.memory_bytes
        assert answer.gpu.memory_bytes == gpu.memory_bytes

    def test_short_answers_need_less_unless_the_prompt_is_trained_on_too(self) -> None:
        short, long = data_of(supervised_max=10), data_of(supervised_max=512)
        shape = "hyperparameters={microBatchSize: 1, activationCheckpointing: no, packing: no, trainOnPrompt: %s}"
        peaks = [
            plan_of(shape % prompt, data=data).memory for prompt, data in (("no", short), ("no", long), ("yes", short))
        ]
        less, more, prompts_too = (memory.peak_bytes for memory in peaks if memory is not None)
        assert less < more == prompts_too


class TestWarnings:
    @pytest.mark.parametrize(
        ("changes", "data", "codes"),
        [
            ([], data_of(), set()),
            (["gpu.type=A100-80GB"], data_of(rows=1_000), set()),
            (["gpu.type=A100-80GB"], data_of(rows=999), {"full-on-few-rows"}),
            ([], data_of(rows=4), {"few-steps", "too-few-samples"}),
            ([], data_of(rows=5), {"too-few-samples"}),
            ([], data_of(rows=49), {"too-few-samples"}),
            ([], data_of(rows=50), set()),
            (["dataset.task=style"], data_of(rows=49), {"too-few-samples"}),
            (["dataset.task=style"], data_of(rows=50), set()),
            (["dataset.task=classification"], data_of(rows=99), {"too-few-samples"}),
            (["dataset.task=classification"], data_of(rows=100), set()),
            (["dataset.task=knowledge"], data_of(rows=499), {"too-few-samples"}),
            (["dataset.task=knowledge"], data_of(rows=500), set()),
            (["dataset.task=reasoning"], data_of(rows=999), {"too-few-samples"}),
            (["dataset.task=reasoning"], data_of(rows=1_000), set()),
            (["dataset.quality={too-few-samples: ignore}"], data_of(rows=30), set()),
            (["hyperparameters.maxSteps=19"], data_of(), {"few-steps"}),
            (["hyperparameters.maxSteps=20"], data_of(), set()),
            (["gpu.type=V100-16GB"], data_of(), {"gpu-not-in-torch-build"}),
            (["gpu.type=T4"], data_of(), set()),
            ([], data_of(exact=False), {"data-assumed"}),
        ],
    )
    def test_say_what_a_person_should_know(self, changes: list[str], data: DataStatistics, codes: set[str]) -> None:
        assert {warning.code for warning in plan_of(*changes, data=data).warnings} == codes

    def test_tell_thirty_rows_of_dialogue_what_to_do_instead(self) -> None:
        (warning,) = plan_of(data=data_of(rows=30)).warnings
        assert warning.message == (
            "30 rows are few: a task that is not named needs 50 at least, better 200; try few-shot prompting or "
            "retrieval first; to train, collect 50-100 core rows for a pilot, then add what it lacks, up to 200"
        )

    def test_count_the_rows_set_aside_for_validation_as_rows_that_there_are(self) -> None:
        data = data_of(rows=45).model_copy(update={"validation_rows": 5})
        assert plan_of(data=data).warnings == []
        of_its_own = "dataset.validation.uri=s3://datasets/held-out.jsonl"
        assert [warning.code for warning in plan_of(of_its_own, data=data).warnings] == ["too-few-samples"]

    def test_count_the_rows_that_lose_their_end(self) -> None:
        data = data_of(tokens=400, longest=1_000).model_copy(update={"histogram": [0] * 6 + [900, 60, 30, 10]})
        (warning,) = plan_of("hyperparameters.cutoffLength=512", data=data).warnings
        assert warning.code == "truncated-rows"
        assert warning.message.startswith("about 40 of 1,000 rows are longer than the cutoff of 512 tokens")


# Anything a job may say, in the ranges that people use and some beyond.
changes_strategy = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from(["auto", *METHODS]),
        "gpu.type": st.sampled_from([gpu.name for gpu in catalogue()]),
        "gpu.perNode": st.integers(1, 16),
        "gpu.nodes": st.sampled_from([1, 2, 64]),
        "model.uri": st.sampled_from(
            [f"hf://Qwen/Qwen2.5-{size}-Instruct" for size in ("0.5B", "7B", "72B")]
            + ["hf://TinyLlama/TinyLlama-1.1B-Chat-v1.0", "hf://Qwen/Qwen3-8B"]
        ),
        "dataset.task": st.sampled_from(["style", "classification", "knowledge", "reasoning"]),
        "hyperparameters.preset": st.sampled_from(["conservative", "recent"]),
        "hyperparameters.epochs": st.floats(0.001, 1000),
        "hyperparameters.maxSteps": st.integers(1, 2**31 - 1),
        "hyperparameters.warmupRatio": st.floats(0, 0.999),
        "hyperparameters.microBatchSize": st.sampled_from([1, 2, 3, 7, 64, 2**31 - 1]),
        "hyperparameters.gradientAccumulationSteps": st.sampled_from([1, 2, 5, 1000]),
        "hyperparameters.cutoffLength": st.integers(16, 2**20),
        "hyperparameters.precision": st.sampled_from(["bf16", "fp16", "fp32"]),
        "hyperparameters.masterWeights": st.sampled_from(["fp32", "none"]),
        "hyperparameters.optimizer": st.sampled_from(["adamw", "adamw-8bit"]),
        "hyperparameters.activationCheckpointing": st.sampled_from(["true", "false"]),
        "hyperparameters.packing": st.sampled_from(["true", "false"]),
        "hyperparameters.trainOnPrompt": st.sampled_from(["true", "false"]),
        "hyperparameters.lora.rank": st.integers(1, 1024),
        "hyperparameters.lora.targetModules": st.sampled_from(["[all-linear]", "[q_proj]", "[nothing]"]),
        "evaluation.everySteps": st.integers(1, 10**6),
    },
)
data_strategy = st.builds(
    lambda rows, tokens, more, most, supervised: data_of(
        rows, tokens, p99=tokens + more, longest=tokens + more + most, supervised_max=supervised
    ),
    st.sampled_from([0, 1, 7, 99, 1_000, 123_456, 10**9]),
    st.integers(0, 5_000),
    st.integers(0, 5_000),
    st.integers(0, 50_000),
    st.integers(0, 10_000),
)


class TestAnyJob:
    @given(changes_strategy, data_strategy)
    @settings(deadline=None, max_examples=150)
    def test_gets_a_plan_that_holds_together(self, changes: dict[str, Any], data: DataStatistics) -> None:
        overrides = [f"{path}={value}" for path, value in changes.items()]
        answer = plan_of(*overrides, data=data)
        assert answer == plan_of(*overrides, data=data)
        assert Plan.model_validate_json(answer.to_json()) == answer
        if not answer.feasible:
            assert rejections(answer).keys() == (
                set(METHODS) if changes.get("method", "auto") == "auto" else {changes["method"]}
            )
            return
        settled = resolved(answer)
        assert answer.memory is not None
        assert answer.memory.parts.total() == answer.memory.peak_bytes <= answer.memory.budget_bytes
        each = settled.micro_batch_size * settled.gradient_accumulation_steps
        assert each * answer.gpu.count == settled.effective_batch_size
        assert 0 <= settled.warmup_steps <= settled.total_steps
        assert settled.total_steps >= 1
        assert settled.evaluation_steps >= 1
        assert settled.cutoff_length <= shape_of(job(*overrides).spec.model.uri).max_position_embeddings
        assert not (settled.master_weights == "none" and settled.precision != "bf16")
        assert not (
            settled.optimizer == "adamw-8bit" and (settled.master_weights == "none" or settled.sharding != "none")
        )
        assert (settled.lora is None) == (answer.method == "full")
        assert (settled.quantization is None) == (answer.method != "qlora")

    @given(st.floats(1, 300), st.floats(0, 200), st.integers(1, 8_192), st.sampled_from(["A100-80GB", "T4", "cpu"]))
    @settings(deadline=None)
    def test_never_gets_a_weaker_method_from_more_memory(self, gib: float, more: float, tokens: int, like: str) -> None:
        less, most = (
            plan_of(data=data_of(tokens=tokens), gpu=card(size, like=like)).method or "" for size in (gib, gib + more)
        )
        assert STRENGTH.get(most, 0) >= STRENGTH.get(less, 0)

    @given(
        st.sampled_from(METHODS),
        st.sampled_from(["cutoffLength", "microBatchSize", "lora.rank"]),
        st.integers(16, 1024),
        st.integers(1, 1024),
    )
    @settings(deadline=None)
    def test_never_needs_less_for_a_longer_cutoff_a_larger_micro_batch_or_rank(
        self, method: str, grown: str, value: int, more: int
    ) -> None:
        peaks = []
        for size in (value, min(value + more, 1024)):
            settled = {"cutoffLength": 256, "microBatchSize": 2, "lora": {"rank": 8}, "activationCheckpointing": True}
            if grown == "lora.rank":
                settled["lora"] = {"rank": size}
            else:
                settled[grown] = size
            hyperparameters = str(settled).replace("True", "true")
            answer = plan_of(
                f"method={method}", f"hyperparameters={hyperparameters}",
                data=data_of(tokens=32_768), gpu=card(100_000),
            )  # fmt: skip
            assert answer.memory is not None
            peaks.append(answer.memory.peak_bytes)
        assert peaks == sorted(peaks)

    def test_with_a_batch_of_two_billion_rows_is_answered(self) -> None:
        answer = plan_of("hyperparameters.effectiveBatchSize=2147483647")
        assert resolved(answer).micro_batch_size == 1

    def test_of_a_folder_on_this_machine_is_planned_by_its_shape(self) -> None:
        answer = plan(job("model.uri=file:///models/mine").spec, QWEN_7B, data_of(), find_gpu("RTX-3070"))
        assert not any(alternative.change.startswith("model.uri=") for alternative in answer.alternatives)
        assert answer.alternatives
