"""What the train pod asks of its machine: cores, memory and disk, besides the card."""

from finetune_core.api.job import Method
from finetune_core.api.plan import Memory, PodResources, Reason
from finetune_core.contract import DataStatistics, ModelShape
from finetune_core.planning.gpus import Gpu
from finetune_core.planning.memory import USABLE_SHARE

MIB = 2**20

CPU_CORES = 1
"""Without a card the cores do the work, but no limit is set, so idle ones are used whatever is asked for. Not two: of a
machine with two, Kubernetes hands out less (1.93 on GKE, "Plan node sizes"), and the pod would never find a place."""
GPU_CORES = 3
"""One thread feeds the card, autograd's second one runs the backward pass, uploads and hashing take the third.
Not four: the smallest machines with a T4, A10G, L4 (g4dn.xlarge, g5.xlarge, g2-standard-4) have four, of which
Kubernetes hands out 3.92 (GKE, "Plan node sizes") and the node's own pods take a part."""

SHM_BYTES = 64 * MIB
"""What containerd and CRI-O give unasked. The trainer has no worker processes that would pass tensors through it
(rows.py reads in the training process), and on one card there is no NCCL."""

NCCL_SHM_BYTES = 128 * MIB
"""More for each of several cards in a pod: NCCL's processes talk through it, and its guide ("Shared memory") gives a
container 1 GiB, which this is for the usual eight."""

GPU_PROCESS_BYTES = 3_000_000_000
"""Host memory of a process that uses a card: 2.1 GB for torch with CUDA (pytorch/pytorch#113326; without, and with
transformers, we measured 0.8-1.2 GB), and ten parts of 16 MiB for an S3 transfer. The rest is caution."""

SHARD_BYTES = 5_000_000_000
"""Largest file of weights on the hub (save_pretrained's max_shard_size was 5GB up to transformers 4)."""

STORED_WEIGHT_BYTES = 2
"""Base models are published in 16 bit."""

TOKEN_BYTES = 4 + 1 / 8
ROW_BYTES = 24
"""Prepared rows (rows.py): int32 and one bit of mask a token; two 64-bit offsets and two int32 columns a row."""

STEP_SECONDS = 60
"""For the step under way and the pod's own end."""
UPLOAD_BYTES_PER_SECOND = 50_000_000
"""To a busy store that nobody has measured: half of what a line of 1 Gbit/s carries. Stores in the same region take
several times that."""
UPLOAD_SHARE = 0.5
"""Of a speed that was measured. The preparation had the line to itself, while a node that is drained ends all its pods
at once; and the checkpoint before may be on its way still, and goes first (checkpoints.py). Networks of clouds are not
steady either (Uta et al., "Is Big Data Performance Reproducible in Modern Cloud Networks?", NSDI 2020)."""
MOST_STORE_SECONDS = 3_600
"""A node that is drained waits so long at most for a trainer that hangs. What is not through by then is trained again,
from the checkpoint before. Cluster Autoscaler waits for ten minutes only (--max-graceful-termination-sec), unless it is
told to wait longer."""

SLACK_BYTES = 2 * 2**30
"""Logs (kubelet keeps 5 files of 10 MiB), tokenizer, reports, caches of compiled kernels."""


def pod_resources(
    method: Method,
    shape: ModelShape,
    data: DataStatistics,
    memory: Memory,
    gpu: Gpu,
    *,
    processes: int = 1,
    shards: int = 1,
    merged_bytes: int = 0,
    storage_bytes_per_second: int | None = None,
) -> tuple[PodResources, Reason]:
    """What each pod of an attempt requests, and why it is given so long to store its state.

    Args:
        method: what is trained.
        shape: the model.
        data: what it is trained on.
        memory: the prediction for one card, or for one process on the processor.
        gpu: the card.
        processes: how many train in a pod, each with a card of its own.
        shards: over how many processes of all pods the model is divided.
        merged_bytes: of a merged model, which lies on the disk when the training is over, beside the base. It needs
            no more host memory: it is written in files smaller than SHARD_BYTES (merge.py).
        storage_bytes_per_second: of the output store, where it was measured.
    """
    shm = SHM_BYTES + (0 if gpu.is_cpu or processes == 1 else processes * NCCL_SHM_BYTES)
    trained = shards * _trained_bytes(method, memory)
    if gpu.is_cpu:
        host = processes * memory.peak_bytes + (trained if shards > 1 else 0)
    else:
        host = processes * GPU_PROCESS_BYTES + _passing_bytes(shape, trained)
    if shards > 1 and shape.num_experts:
        # The files have every expert for itself, and transformers makes one tensor of a layer's: a copy a process.
        host += processes * STORED_WEIGHT_BYTES * shape.parameters
    checkpoint = trained + shards * memory.parts.optimizer
    store_seconds, because = _store_seconds(checkpoint, storage_bytes_per_second)
    resources = PodResources(
        cpu=processes * (CPU_CORES if gpu.is_cpu else GPU_CORES),
        memory_bytes=_whole_mib(host / USABLE_SHARE + shm),
        ephemeral_storage_bytes=_whole_mib(_disk_bytes(shape, data, checkpoint, gpu) + merged_bytes),
        shm_bytes=shm,
        store_seconds=store_seconds,
    )
    return resources, Reason(field="pod.storeSeconds", value=str(store_seconds), because=because)


def _store_seconds(checkpoint: int, measured: int | None) -> tuple[int, str]:
    """How long a pod may take to end its step and to store a checkpoint of so many bytes, and why so long."""
    speed = UPLOAD_BYTES_PER_SECOND if measured is None else max(1, round(measured * UPLOAD_SHARE))
    seconds = STEP_SECONDS + -(-checkpoint // speed)
    known = "assumed" if measured is None else f"{100 * UPLOAD_SHARE:.0f} % of what the preparation measured"
    because = (
        f"{STEP_SECONDS} s to end a step, then a checkpoint of {checkpoint / 1e9:,.4g} GB "
        f"at {speed / 1e6:,.4g} MB/s ({known})"
    )
    if seconds <= MOST_STORE_SECONDS:
        return seconds, because
    return MOST_STORE_SECONDS, f"{because}: {seconds:,} s; no pod is given longer than {MOST_STORE_SECONDS:,}"


def _passing_bytes(shape: ModelShape, trained: int) -> int:
    """Most that passes through the machine's own memory on its way to a card or from it.

    On a processor the peak is the predicted one itself: a checkpoint is written from the tensors in place, and the
    model's copy for that is no larger than the gradients, which are gone by then; unless each process has a part only.

    Beside a card, weights only pass through. Loading maps the files and moves tensor by tensor: the pages can be
    dropped at any time, so one shard is counted, for speed and not for need. However many processes divide the model,
    they share these pages, and weights get their number format on the card, layer by layer (mapped.py); two processes
    that divided 172 MiB of fp32 on the processor, from bf16 files, needed 7 MiB more than the 92 that each kept.
    Resuming maps the optimizer's state likewise. Saving copies all trained weights into host memory at once, and
    nothing larger ever is there.
    """
    return max(min(STORED_WEIGHT_BYTES * shape.parameters, SHARD_BYTES), trained)


def _disk_bytes(shape: ModelShape, data: DataStatistics, checkpoint: int, gpu: Gpu) -> float:
    """Most that lies on the pod's disk at once: base weights, prepared rows, one checkpoint.

    Checkpoints are written one at a time and go as soon as they are stored (checkpoints.py), so ``checkpoints.keep``
    does not matter here. The exported result comes when they are gone, and is smaller: no optimizer state (what is
    merged is counted apart). On a processor the state that was resumed from stays mapped as the optimizer's own, and
    with it its file.
    """
    base = STORED_WEIGHT_BYTES * shape.parameters
    rows = data.rows + data.validation_rows
    prepared = TOKEN_BYTES * data.tokens / max(1, data.rows) * rows + ROW_BYTES * rows
    return base + prepared + checkpoint * (2 if gpu.is_cpu else 1) + SLACK_BYTES


def _trained_bytes(method: Method, memory: Memory) -> int:
    """The weights that training changes, and a checkpoint holds."""
    return memory.parts.weights if method == "full" else memory.parts.adapters


def _whole_mib(size: float) -> int:
    return int(-(-size // MIB)) * MIB
