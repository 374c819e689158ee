"""What the train pod asks for: enough for the run, and no more than the machines that have the card can give."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import card, data_of, job, plan_of, shape_of

from finetune_core.api.plan import PodResources
from finetune_core.contract import DataStatistics
from finetune_core.planning import Gpu, find_gpu, plan

GIB, MIB = 2**30, 2**20
QWEN_7B_STORED = 15_231_233_024
"""Size of its safetensors on the hub, from their index."""
SIZES = [f"hf://Qwen/Qwen2.5-{size}-Instruct" for size in ("0.5B", "1.5B", "3B", "7B", "14B", "32B")]


def pod_of(*changes: str, data: DataStatistics | None = None, gpu: Gpu | None = None) -> PodResources:
    pod = plan_of(*changes, data=data, gpu=gpu).pod
    assert pod is not None
    return pod


def test_an_adapter_of_7b_fits_the_smallest_machine_with_its_card() -> None:
    """4 cores and 16 GiB: g5.xlarge, g2-standard-4. GKE hands out 3.92 cores and 13.3 GiB of it."""
    pod = pod_of("gpu.type=A10")
    assert pod.cpu == 3
    assert 5 * GIB < pod.memory_bytes < 10 * GIB
    assert QWEN_7B_STORED + GIB < pod.ephemeral_storage_bytes < 24 * GIB


def test_full_fine_tuning_of_7b_holds_its_weights_and_a_checkpoint() -> None:
    pod = pod_of("gpu.type=A100-80GB", "method=full")
    assert pod.cpu == 3
    assert QWEN_7B_STORED + 2 * GIB < pod.memory_bytes < 32 * GIB
    # bf16 weights, two moments and the Kahan buffer: 4 times the weights as they are stored.
    assert 5 * QWEN_7B_STORED + GIB < pod.ephemeral_storage_bytes < 5 * QWEN_7B_STORED + 6 * GIB


def test_on_a_processor_memory_is_the_predicted_peak_and_what_a_plan_leaves_free() -> None:
    answer = plan_of("gpu.type=cpu", "model.uri=hf://Qwen/Qwen2.5-0.5B-Instruct", "method=lora")
    assert answer.memory is not None
    assert answer.pod is not None
    assert answer.pod.cpu == 1
    wanted = answer.memory.peak_bytes / 0.95 + answer.pod.shm_bytes
    assert wanted <= answer.pod.memory_bytes < wanted + MIB
    assert GIB < answer.pod.ephemeral_storage_bytes < 8 * GIB


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_a_merged_model_needs_room_on_the_disk_and_no_more_memory(method: str) -> None:
    alone, both = (pod_of(f"method={method}", f"output.export={export}") for export in ("adapter", "both"))
    assert both.ephemeral_storage_bytes - alone.ephemeral_storage_bytes == pytest.approx(QWEN_7B_STORED, rel=0.01)
    assert both.memory_bytes == alone.memory_bytes


def test_an_infeasible_plan_asks_for_nothing() -> None:
    answer = plan_of("gpu.type=RTX-3070")
    assert answer.pod is None
    assert "pod" not in json.loads(answer.to_json())


@pytest.mark.parametrize("changes", [["gpu.type=A10"], ["gpu.type=T4"], ["gpu.type=B200", "method=full"]], ids=str)
def test_sizes_are_whole_mebibytes_and_memory_has_room_for_shm(changes: list[str]) -> None:
    pod = pod_of(*changes)
    for size in (pod.memory_bytes, pod.ephemeral_storage_bytes, pod.shm_bytes):
        assert size > 0
        assert size % MIB == 0
    assert pod.memory_bytes > 2 * GIB + pod.shm_bytes


@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
def test_a_larger_model_never_asks_for_less(method: str) -> None:
    pods = [pod_of(f"model.uri={uri}", f"method={method}", gpu=card(10_000)) for uri in SIZES]
    for field in ("memory_bytes", "ephemeral_storage_bytes"):
        sizes = [getattr(pod, field) for pod in pods]
        assert sizes == sorted(sizes)
    assert pods[0].ephemeral_storage_bytes < pods[-1].ephemeral_storage_bytes


def test_what_is_trained_and_kept_is_paid_for() -> None:
    on = "gpu.type=B200"
    lora, kahan, masters = (
        pod_of(on, f"hyperparameters={settings}", f"method={method}")
        for method, settings in (("lora", "{}"), ("full", "{masterWeights: none}"), ("full", "{masterWeights: fp32}"))
    )
    assert lora.memory_bytes < kahan.memory_bytes < masters.memory_bytes
    assert lora.ephemeral_storage_bytes < kahan.ephemeral_storage_bytes < masters.ephemeral_storage_bytes
    low, high = (pod_of(on, "method=lora", f"hyperparameters.lora.rank={rank}") for rank in (8, 1024))
    assert low.ephemeral_storage_bytes < high.ephemeral_storage_bytes


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(1, 4_096))
@settings(deadline=None)
def test_more_data_never_asks_for_less_disk_and_for_the_same_memory(rows: int, more: int, tokens: int) -> None:
    settled = "hyperparameters={microBatchSize: 1, cutoffLength: 512, effectiveBatchSize: 16, lora: {rank: 8}}"
    small, large = (pod_of(settled, data=data_of(size, tokens)) for size in (rows, rows + more))
    assert 0 <= large.ephemeral_storage_bytes - small.ephemeral_storage_bytes <= more * (5 * tokens + 32) + MIB
    assert large.memory_bytes == small.memory_bytes


def test_validation_rows_lie_there_too() -> None:
    data = data_of(100_000, 1_000)
    held_out = data.model_copy(update={"validation_rows": 100_000})
    small, large = pod_of(data=data), pod_of(data=held_out)
    assert large.ephemeral_storage_bytes - small.ephemeral_storage_bytes > 100_000 * 1_000 * 4


def test_processes_that_share_a_model_have_it_once_where_it_is_stored() -> None:
    answer = plan_of("gpu.type=A100-80GB", "gpu.perNode=4", "method=full")
    assert answer.hyperparameters is not None
    assert (answer.hyperparameters.sharding, answer.hyperparameters.master_weights) == ("full", "fp32")
    assert answer.pod is not None
    in_fp32 = 2 * QWEN_7B_STORED
    assert in_fp32 < answer.pod.memory_bytes < in_fp32 + 4 * 4 * GIB


@pytest.mark.parametrize(("method", "gpu"), [("lora", "L40S"), ("qlora", "T4")])
def test_processes_that_share_a_base_need_none_of_it_in_memory(method: str, gpu: str) -> None:
    """8 that made copies of 32B would have 520 GB in 16 bit, or 150 GB in 4 bit."""
    answer = plan_of("model.uri=hf://Qwen/Qwen2.5-32B-Instruct", f"gpu.type={gpu}", "gpu.perNode=8", f"method={method}")
    assert answer.hyperparameters is not None
    assert answer.hyperparameters.sharding == "full"
    assert answer.pod is not None
    assert answer.pod.memory_bytes < 8 * 4 * GIB + 5 * GIB


def test_a_large_checkpoint_is_given_time() -> None:
    assert pod_of("gpu.type=A10").store_seconds < 70
    assert 1_200 < pod_of("gpu.type=A100-80GB", "method=full").store_seconds < 1_500


KAHAN_GB = 8 * 7.616
"""Checkpoint of a full fine-tuning of Qwen2.5-7B without fp32 masters: 8 bytes a parameter."""


@pytest.mark.parametrize(
    ("speed", "seconds", "told"),
    [
        (None, 60 + KAHAN_GB / 0.05, "a checkpoint of 60.92 GB at 50 MB/s (assumed)"),
        (
            40_000_000,
            60 + KAHAN_GB / 0.02,
            "a checkpoint of 60.92 GB at 20 MB/s (50 % of what the preparation measured)",
        ),
        (2 * 10**9, 60 + KAHAN_GB / 1, "at 1,000 MB/s (50 % of what the preparation measured)"),
        (10_000_000, 3_600, "measured): 12,245 s; no pod is given longer than 3,600"),
        (0, 3_600, " s; no pod is given longer than 3,600"),
    ],
)
def test_it_is_given_time_by_the_speed_of_the_store(speed: int | None, seconds: float, told: str) -> None:
    spec = job("gpu.type=A100-80GB", "method=full").spec
    answer = plan(spec, shape_of(spec.model.uri), data_of(), find_gpu("A100-80GB"), speed)
    assert answer.pod is not None
    assert answer.pod.store_seconds == pytest.approx(seconds, abs=3)
    assert told in answer.why("pod.storeSeconds")
    assert answer.why("pod.storeSeconds").startswith("60 s to end a step, then a checkpoint of ")


def test_experts_are_copied_by_each_process_that_has_a_part_of_them() -> None:
    answer = plan_of("model.uri=hf://Qwen/Qwen3-30B-A3B", "gpu.type=L40S", "gpu.perNode=4", "method=lora")
    assert answer.hyperparameters is not None
    assert answer.hyperparameters.sharding == "full"
    assert answer.pod is not None
    assert answer.pod.memory_bytes > 4 * 2 * 30.5e9
