"""A job, data and a plan to vary, for tests of every kind."""

from dataclasses import replace

from finetune_core.api import FineTuneJob, Plan, read_job
from finetune_core.contract import DataStatistics, LengthPercentiles, ModelShape
from finetune_core.planning import Gpu, find_gpu, plan, shipped_shape

GIB = 2**30

JOB = """\
apiVersion: finetune.dev/v1alpha1
kind: FineTuneJob
metadata:
  name: support-bot
spec:
  model: {uri: "hf://Qwen/Qwen2.5-7B-Instruct"}
  dataset: {uri: "s3://datasets/support.jsonl"}
  gpu: {type: A10}
  output: {uri: "s3://models/support-bot"}
"""
"""The four facts that are enough."""


def job(*changes: str) -> FineTuneJob:
    """The job with changes as ``--set`` takes them."""
    return read_job(JOB, list(changes))


def shape_of(uri: str) -> ModelShape:
    """The shape of a model that we ship."""
    shape = shipped_shape(uri)
    assert shape is not None
    return shape


def data_of(
    rows: int = 1_000,
    tokens: int = 512,
    *,
    p99: int | None = None,
    longest: int | None = None,
    supervised_max: int | None = None,
    exact: bool = True,
) -> DataStatistics:
    """Rows of so many tokens, half of them supervised, without a histogram."""
    p99 = p99 or tokens
    longest = longest or p99
    return DataStatistics(
        rows=rows,
        tokens=rows * tokens,
        supervised_tokens=rows * tokens // 2,
        lengths=LengthPercentiles(p50=tokens, p95=p99, p99=p99, max=longest),
        supervised_max=longest if supervised_max is None else supervised_max,
        exact=exact,
    )


def card(memory_gib: float, *, like: str = "A100-80GB") -> Gpu:
    """A card of so much memory, otherwise like one of the catalogue."""
    return replace(find_gpu(like), name="test-card", memory_bytes=int(memory_gib * GIB))


def plan_of(*changes: str, data: DataStatistics | None = None, gpu: Gpu | None = None) -> Plan:
    """The plan of the job with changes as ``--set`` takes them; the model and the card are those that it then names."""
    spec = job(*changes).spec
    return plan(spec, shape_of(spec.model.uri), data or data_of(), gpu or find_gpu(spec.gpu.type))
