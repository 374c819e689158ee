"""Several GPUs and nodes: how the batch is divided, when the model is, and that more never makes worse."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import card, data_of, job, plan_of, shape_of

from finetune_core.api.plan import Plan, ResolvedHyperparameters, ResolvedLora, ResolvedQuantization
from finetune_core.planning import find_gpu, infeasible_line, step_down
from finetune_core.planning.memory import RUNTIME_BYTES, predict
from finetune_core.planning.methods import METHODS, floor_bytes
from finetune_core.planning.training_shape import TrainingShape

GIB = 2**30
MODELS = [f"hf://Qwen/Qwen2.5-{size}-Instruct" for size in ("0.5B", "1.5B", "7B", "32B")]
QWEN_7B = shape_of("hf://Qwen/Qwen2.5-7B-Instruct")
STRENGTH = {"": 0, "qlora": 1, "lora": 2, "full": 3}
LORA = ResolvedLora(rank=8, alpha=16, dropout=0.05, target_modules=["all-linear"])
NF4 = ResolvedQuantization(type="nf4", double_quantization=True)


def resolved(plan: Plan) -> ResolvedHyperparameters:
    assert plan.hyperparameters is not None, plan.reasons
    return plan.hyperparameters


def training(method: Any, shards: int, **changes: Any) -> TrainingShape:
    return replace(
        TrainingShape(
            method=method,
            shards=shards,
            micro_batch_size=1,
            row_tokens=512,
            supervised_tokens=512,
            precision="bf16",
            activation_checkpointing=True,
            master_weights="fp32" if method == "full" else None,
            lora=None if method == "full" else LORA,
            quantization=NF4 if method == "qlora" else None,
        ),
        **changes,
    )


class TestTheBatch:
    def test_is_divided_over_all_gpus_of_all_nodes(self) -> None:
        answer = plan_of("gpu.perNode=2", "gpu.nodes=2", "hyperparameters.effectiveBatchSize=32")
        settled = resolved(answer)
        assert (answer.gpu.per_node, answer.gpu.nodes, answer.gpu.words) == (2, 2, "2 nodes of 2 x A10")
        assert settled.micro_batch_size * settled.gradient_accumulation_steps * 4 == 32
        assert answer.why("gradientAccumulationSteps") == "effectiveBatchSize / (microBatchSize x 4 GPUs)"

    @pytest.mark.parametrize(
        ("changes", "line"),
        [
            (
                ["hyperparameters.effectiveBatchSize=20"],
                "effectiveBatchSize 20 cannot be divided over 8 GPUs: give a multiple of 8, or leave it out",
            ),
            (
                ["hyperparameters={effectiveBatchSize: 24, microBatchSize: 2}"],
                "effectiveBatchSize 24 cannot be divided over 8 GPUs x microBatchSize 2: "
                "give a multiple of 16, or leave it out",
            ),
            (
                ["hyperparameters={effectiveBatchSize: 24, gradientAccumulationSteps: 2}"],
                "effectiveBatchSize 24 cannot be divided over 8 GPUs x gradientAccumulationSteps 2: "
                "give a multiple of 16, or leave it out",
            ),
        ],
    )
    def test_of_another_size_is_infeasible_in_one_line(self, changes: list[str], line: str) -> None:
        answer = plan_of("gpu.perNode=8", "method=lora", *changes)
        assert [reason.because for reason in answer.reasons] == [line]
        assert not [found for found in answer.alternatives if found.change.startswith("gpu.")]

    @pytest.mark.parametrize(
        ("changes", "effective", "because"),
        [
            (["gpu.perNode=3"], 15, "the multiple of 3 GPUs nearest to 16"),
            (["gpu.perNode=16", "gpu.nodes=4"], 64, "the multiple of 64 GPUs nearest to 16"),
            (
                ["gpu.perNode=2", "hyperparameters.microBatchSize=3"],
                18,
                "the multiple of the given microBatchSize x 2 GPUs nearest to 16",
            ),
            (
                ["gpu.perNode=2", "hyperparameters={microBatchSize: 2, gradientAccumulationSteps: 3}"],
                12,
                "microBatchSize x gradientAccumulationSteps x 2 GPUs, as given in the job",
            ),
            (["gpu.perNode=4"], 16, "16-32 rows per step is the rule of thumb"),
        ],
    )
    def test_not_given_is_the_nearest_that_can_be_divided(
        self, changes: list[str], effective: int, because: str
    ) -> None:
        answer = plan_of("method=lora", *changes)
        assert (resolved(answer).effective_batch_size, answer.why("effectiveBatchSize")) == (effective, because)

    def test_stays_the_same_after_an_out_of_memory(self) -> None:
        plan = plan_of("method=lora", "gpu.perNode=2", "hyperparameters={effectiveBatchSize: 48, microBatchSize: 8}")
        settled = []
        while plan is not None:
            settled.append(resolved(plan))
            plan = step_down(plan)
        assert [found.micro_batch_size for found in settled] == [8, 4, 2, 1]
        assert {found.micro_batch_size * found.gradient_accumulation_steps * 2 for found in settled} == {48}


class TestSharding:
    @pytest.mark.parametrize(
        ("changes", "method", "sharding", "masters"),
        [
            (["gpu.type=A10"], "lora", "none", None),
            (["gpu.type=A10", "gpu.perNode=4"], "lora", "none", None),
            (["gpu.type=RTX-5090", "gpu.perNode=8"], "full", "full", "fp32"),
            (["gpu.type=T4", "gpu.nodes=2"], "lora", "full", None),
            (["gpu.type=A100-80GB"], "full", "none", "none"),
            (["gpu.type=A100-80GB", "gpu.perNode=4"], "full", "full", "fp32"),
            (["gpu.type=A100-80GB", "gpu.perNode=2", "hyperparameters.masterWeights=none"], "full", "none", "none"),
            (["gpu.type=B200", "gpu.perNode=8"], "full", "none", "fp32"),
            (["gpu.type=RTX-3070", "gpu.perNode=4"], "qlora", "full", None),
        ],
    )
    def test_is_taken_where_one_gpu_does_not_hold_it_all(
        self, changes: list[str], method: str, sharding: str, masters: str | None
    ) -> None:
        answer = plan_of(*changes)
        assert answer.method == method
        assert (resolved(answer).sharding, resolved(answer).master_weights) == (sharding, masters)
        assert any(reason.field == "sharding" for reason in answer.reasons)

    def test_of_weights_without_masters_is_refused_and_says_so(self) -> None:
        answer = plan_of("method=full", "gpu.type=RTX-5090", "gpu.perNode=8", "hyperparameters.masterWeights=none")
        (reason,) = answer.reasons
        assert not answer.feasible
        assert "on each GPU" in reason.because
        assert reason.because.endswith("; masterWeights none cannot be divided over GPUs: leave it out, or write fp32")
        assert plan_of(
            "method=full", "gpu.type=RTX-5090", "gpu.perNode=8", "hyperparameters.masterWeights=fp32"
        ).feasible

    @pytest.mark.parametrize("method", METHODS)
    def test_of_moments_in_8_bits_is_refused_and_says_so(self, method: str) -> None:
        """Where the model does not fit one GPU; otherwise each has it all."""
        asked = (f"method={method}", "hyperparameters.optimizer=adamw-8bit", "model.uri=hf://Qwen/Qwen2.5-32B-Instruct")
        answer = plan_of(*asked, "gpu.type=RTX-3060", "gpu.perNode=8")
        (reason,) = answer.reasons
        assert not answer.feasible
        assert reason.because.endswith("; optimizer adamw-8bit cannot be divided over GPUs: leave it out")
        settled = resolved(plan_of(*asked[:2], "model.uri=hf://Qwen/Qwen2.5-0.5B-Instruct", "gpu.perNode=2"))
        assert (settled.optimizer, settled.sharding) == ("adamw-8bit", "none")

    def test_is_not_for_slices_of_a_card(self) -> None:
        slice_ = replace(find_gpu("A100-40GB"), name="A100-MIG", resource_name="nvidia.com/mig-3g.20gb")
        answer = plan_of("gpu.perNode=2", "method=lora", gpu=slice_)
        assert "slices cannot train together" in answer.reasons[0].because
        assert plan_of("method=lora", gpu=slice_).feasible

    @pytest.mark.parametrize("method", METHODS)
    def test_divides_what_is_kept_and_counts_what_is_gathered(self, method: str) -> None:
        whole, share = (predict(QWEN_7B, training(method, shards)) for shards in (1, 8))
        for part in ("weights", "adapters", "gradients", "optimizer"):
            assert getattr(share, part) == -(-getattr(whole, part) // 8)
        # Gathered in 16 bit, layers whose weights are fp32 keep less.
        assert share.activations <= whole.activations
        assert share.runtime == whole.runtime == RUNTIME_BYTES
        embeddings = 2 * 2 * QWEN_7B.vocab_size * QWEN_7B.hidden_size
        layer = 2 * QWEN_7B.linear_parameters // QWEN_7B.num_layers
        if method == "qlora":  # a layer is gathered in 4 bits, and one of its linears dequantised
            assert embeddings + layer // 2 < share.scratch < embeddings + layer // 2 + whole.scratch + layer // 4
        elif method == "lora":  # a layer, and the next as it comes and as it is put together
            assert embeddings + 3 * layer < share.scratch < embeddings + 3 * layer * 1.02
        else:  # gradients of embedding and head as well: 2 bytes as they are made, 4 to be summed, 4 of the part kept
            assert share.scratch == embeddings * (2 + 2 + 4) // 2 + embeddings // 2 * 4 // 8


class TestMoreGpus:
    """Properties: what a person expects who pays for one more."""

    @given(st.sampled_from(METHODS), st.sampled_from(MODELS), st.integers(2, 512), st.integers(0, 512))
    @settings(deadline=None)
    def test_to_divide_a_model_over_never_raise_the_peak_of_each(
        self, method: str, model: str, gpus: int, more: int
    ) -> None:
        few, many = (predict(shape_of(model), training(method, count)).total() for count in (gpus, gpus + more))
        assert many <= few

    @given(
        st.sampled_from(MODELS),
        st.floats(4, 200),
        st.integers(1, 16),
        st.integers(0, 15),
        st.integers(1, 8),
        st.integers(1, 4_096),
        st.sampled_from(["A100-80GB", "T4"]),
    )
    @settings(deadline=None)
    def test_never_give_a_weaker_method(
        self, model: str, gib: float, per_node: int, more: int, nodes: int, tokens: int, like: str
    ) -> None:
        few, many = (
            plan_of(
                f"model.uri={model}", f"gpu.perNode={count}", f"gpu.nodes={nodes}",
                data=data_of(tokens=tokens), gpu=card(gib, like=like),
            ).method or ""
            for count in (per_node, min(16, per_node + more))
        )  # fmt: skip
        assert STRENGTH[many] >= STRENGTH[few]

    @given(st.integers(1, 16), st.integers(1, 64), st.sampled_from(METHODS), st.sampled_from(["A10", "H100", "cpu"]))
    @settings(deadline=None)
    def test_get_a_plan_that_holds_together(self, per_node: int, nodes: int, method: str, gpu: str) -> None:
        changes = (f"gpu.type={gpu}", f"gpu.perNode={per_node}", f"gpu.nodes={nodes}", f"method={method}")
        answer = plan_of(*changes)
        assert Plan.model_validate_json(answer.to_json()) == answer
        if not answer.feasible:
            return
        settled, world = resolved(answer), per_node * nodes
        assert (answer.gpu.per_node, answer.gpu.nodes) == (per_node, nodes)
        assert settled.micro_batch_size * settled.gradient_accumulation_steps * world == settled.effective_batch_size
        assert answer.memory is not None
        assert answer.memory.peak_bytes <= answer.memory.budget_bytes
        assert not (settled.sharding == "full" and (settled.master_weights == "none" or world == 1))


class TestTheRuleOfThumb:
    def test_is_summed_over_the_gpus_that_share_the_model(self) -> None:
        floor = floor_bytes("full", QWEN_7B.parameters)
        below, above = (plan_of("gpu.perNode=4", gpu=card(floor / 4 / GIB + more)) for more in (-0.1, 0.1))
        said = next(reason.because for reason in below.reasons if reason.value == "full")
        assert said.startswith("rule of thumb: full of 7.62B parameters asks for 70.9 GiB, 4 x test-card offers 70.5")
        assert "full needs" in next(reason.because for reason in above.reasons if reason.value == "full")

    def test_is_not_summed_where_each_holds_all(self) -> None:
        """Without masters the weights are not divided: then a GPU has to do with its own memory."""
        answer = plan_of("gpu.type=A100-40GB", "gpu.perNode=4", "hyperparameters.masterWeights=none")
        assert "4 x A100-40GB offers 39" in next(reason.because for reason in answer.reasons if reason.value == "full")


class TestThePod:
    def test_asks_for_as_much_more_as_it_has_cards(self) -> None:
        one, four = (plan_of("method=lora", f"gpu.perNode={count}").pod for count in (1, 4))
        assert one is not None
        assert four is not None
        assert (one.cpu, four.cpu) == (3, 12)
        assert one.memory_bytes + 3 * 3e9 < four.memory_bytes < 4 * one.memory_bytes
        assert (one.shm_bytes, four.shm_bytes) == (64 * 2**20, 576 * 2**20)
        assert four.ephemeral_storage_bytes == one.ephemeral_storage_bytes

    def test_of_eight_cards_has_the_shared_memory_that_nccl_asks_for(self) -> None:
        pod = plan_of("method=lora", "gpu.perNode=8").pod
        assert pod is not None
        assert GIB < pod.shm_bytes < 1.1 * GIB

    def test_of_another_node_is_no_larger(self) -> None:
        one, four = (plan_of("method=lora", f"gpu.nodes={count}").pod for count in (1, 4))
        assert one == four

    def test_holds_the_whole_model_when_it_is_stored(self) -> None:
        pod = plan_of("method=full", "gpu.type=RTX-5090", "gpu.perNode=8").pod
        assert pod is not None
        assert pod.memory_bytes > 4 * QWEN_7B.parameters + 8 * 3e9
        assert pod.ephemeral_storage_bytes > (2 + 12) * QWEN_7B.parameters

    def test_of_processes_on_a_machine_shares_its_memory(self) -> None:
        small = "model.uri=hf://Qwen/Qwen2.5-0.5B-Instruct"
        one, four = (plan_of(small, "gpu.type=cpu", f"gpu.perNode={count}", "method=lora") for count in (1, 4))
        assert one.memory is not None
        assert four.memory is not None
        assert four.memory.budget_bytes == one.memory.budget_bytes // 4
        assert four.pod is not None
        assert four.pod.cpu == 4
        assert four.pod.memory_bytes > 4 * four.memory.peak_bytes


class TestAlternatives:
    def test_name_the_least_number_of_cards_that_is_enough(self) -> None:
        answer = plan_of("method=full", "gpu.type=RTX-5090")
        more = [found for found in answer.alternatives if found.change.startswith("gpu.perNode")]
        assert [(found.change, found.method) for found in more] == [("gpu.perNode=8", "full")]
        assert not plan_of("method=full", "gpu.type=RTX-5090", "gpu.perNode=4").feasible
        assert plan_of("method=full", "gpu.type=RTX-5090", "gpu.perNode=8").feasible

    def test_name_none_where_there_are_as_many_or_none_is_enough(self) -> None:
        for changes in (
            ["gpu.perNode=8", "method=full", "gpu.type=RTX-3060"],
            ["hyperparameters.microBatchSize=10000"],
        ):
            answer = plan_of(*changes)
            assert not answer.feasible
            assert not [found for found in answer.alternatives if found.change.startswith("gpu.perNode")]

    def test_price_all_cards_of_a_job(self) -> None:
        answer = plan_of("method=full", "gpu.type=A10", "gpu.nodes=2")
        other = next(found for found in answer.alternatives if found.change.startswith("gpu.type="))
        price = find_gpu(other.change.removeprefix("gpu.type=")).price_per_hour
        assert other.because == f"about {2 * price:.2f} USD an hour"

    def test_are_told_of_the_cards_that_are_not_enough(self) -> None:
        spec = job("method=full", "gpu.type=A10", "gpu.perNode=2", "gpu.nodes=2").spec
        answer = plan_of("method=full", "gpu.type=A10", "gpu.perNode=2", "gpu.nodes=2")
        assert " does not fit 2 nodes of 2 x A10 with method full" in infeasible_line(spec, answer)
