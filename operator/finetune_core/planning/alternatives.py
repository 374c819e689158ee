"""What would fit instead, when nothing does."""

from collections.abc import Callable, Iterator
from operator import itemgetter

from finetune_core.api.job import Budget, FineTuneJobSpec, Method
from finetune_core.api.plan import Alternative
from finetune_core.contract import DataStatistics, ModelShape
from finetune_core.planning.gpus import Gpu, catalogue
from finetune_core.planning.hyperparameters import CUTOFFS
from finetune_core.planning.methods import METHODS
from finetune_core.planning.shapes import shipped_shape, smaller_models

Peak = Callable[[FineTuneJobSpec, ModelShape, DataStatistics, Gpu], tuple[Method, int] | None]
"""Method and predicted peak of a job, if it can be trained."""

MOST_GPUS = 3
MOST_MODELS = 2
MORE_PER_NODE = (2, 4, 8)
"""As many cards as machines usually have, if they have several."""
SHORTEST_CUTOFF = 256


def alternatives(
    spec: FineTuneJobSpec, shape: ModelShape, data: DataStatistics, gpu: Gpu, peak: Peak
) -> list[Alternative]:
    """Single changes to the job that make it feasible: on this card first, since they cost nothing, then on others."""
    priced = [*_more_gpus(spec, shape, data, gpu, peak), *_other_gpus(spec, shape, data, peak)]
    return [
        *_other_methods(spec, shape, data, gpu, peak),
        *_smaller_models(spec, data, gpu, peak),
        *(alternative for _, alternative in sorted(priced, key=itemgetter(0))),
    ]


def _other_methods(
    spec: FineTuneJobSpec, shape: ModelShape, data: DataStatistics, gpu: Gpu, peak: Peak
) -> Iterator[Alternative]:
    """A method that needs less memory; where none is enough, qlora with a shorter cutoff.

    ``auto`` is cautious by its floors; who asks for qlora by name gets it where the memory model says it fits.
    """
    lighter = ("qlora",) if spec.method == "auto" else METHODS[METHODS.index(spec.method) + 1 :]
    for method in lighter:
        if answer := peak(spec.model_copy(update={"method": method}), shape, data, gpu):
            because = "below the rule of thumb, but predicted to fit" if spec.method == "auto" else "needs less memory"
            yield _alternative(f"method={method}", answer, because)
            return
    for cutoff in _shorter_cutoffs(spec, data):
        changed = spec.hyperparameters.model_copy(update={"cutoff_length": cutoff})
        shorter = spec.model_copy(update={"method": "qlora", "hyperparameters": changed})
        if answer := peak(shorter, shape, data, gpu):
            yield _alternative(
                f"method=qlora hyperparameters.cutoffLength={cutoff}", answer, "rows longer than that lose their end"
            )
            return


def _shorter_cutoffs(spec: FineTuneJobSpec, data: DataStatistics) -> list[int]:
    """Below the longest row and below what the job says, the longest first."""
    longest = min(data.lengths.max, spec.hyperparameters.cutoff_length or data.lengths.max)
    return [cutoff for cutoff in [*reversed(CUTOFFS), SHORTEST_CUTOFF] if cutoff < longest]


def _smaller_models(spec: FineTuneJobSpec, data: DataStatistics, gpu: Gpu, peak: Peak) -> Iterator[Alternative]:
    found = 0
    for uri in smaller_models(spec.model.uri):
        smaller = shipped_shape(uri)
        if smaller is None or found == MOST_MODELS:
            continue
        if answer := peak(spec, smaller, data, gpu):
            found += 1
            yield _alternative(f"model.uri={uri}", answer, f"{smaller.parameters / 1e9:.2f}B parameters")


def _more_gpus(
    spec: FineTuneJobSpec, shape: ModelShape, data: DataStatistics, gpu: Gpu, peak: Peak
) -> Iterator[tuple[float, Alternative]]:
    """The least number of the same card that is enough, with its price; that there are such machines is not known."""
    for count in MORE_PER_NODE:
        if gpu.is_cpu or count <= spec.gpu.per_node:
            continue
        more = spec.model_copy(update={"gpu": spec.gpu.model_copy(update={"per_node": count})})
        if answer := peak(more, shape, data, gpu):
            yield _priced(f"gpu.perNode={count}", answer, count * spec.gpu.nodes * gpu.price_per_hour)
            return


def _other_gpus(
    spec: FineTuneJobSpec, shape: ModelShape, data: DataStatistics, peak: Peak
) -> Iterator[tuple[float, Alternative]]:
    found = 0
    # The largest memory that is not enough, with bf16 and without; where there is a budget, it may be that.
    too_small = {True: 0, False: 0}
    for gpu in sorted(catalogue(), key=lambda gpu: (gpu.price_per_hour, gpu.memory_bytes)):
        if gpu.is_cpu or gpu.is_slice or found == MOST_GPUS or gpu.memory_bytes <= too_small[gpu.bf16]:
            continue  # few clusters have slices, and theirs are cut their own way
        if answer := peak(spec, shape, data, gpu):
            found += 1
            yield _priced(f"gpu.type={gpu.name}", answer, spec.gpu.count * gpu.price_per_hour)
        elif spec.budget == Budget():
            too_small[gpu.bf16] = gpu.memory_bytes


def _priced(change: str, answer: tuple[Method, int], price: float) -> tuple[float, Alternative]:
    return price, _alternative(change, answer, f"about {price:.2f} USD an hour")


def _alternative(change: str, answer: tuple[Method, int], because: str) -> Alternative:
    method, peak_bytes = answer
    return Alternative(change=change, method=method, peak_bytes=peak_bytes, because=because)
