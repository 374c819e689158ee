"""What would fit instead, when nothing does."""

from collections.abc import Callable, Iterator
from operator import itemgetter

from finetune_core.api.job import FineTuneJobSpec
from finetune_core.api.plan import Alternative, Plan
from finetune_core.contract import DataStatistics, ModelShape
from finetune_core.planning.gpus import Gpu, catalogue
from finetune_core.planning.hyperparameters import CUTOFFS
from finetune_core.planning.methods import METHODS
from finetune_core.planning.shapes import shipped_shape, smaller_models

Decide = Callable[[FineTuneJobSpec, ModelShape, DataStatistics, Gpu], Plan]

MOST_GPUS = 3
MOST_MODELS = 2
MORE_PER_NODE = (2, 4, 8)
"""As many cards as machines usually have, if they have several."""
SHORTEST_CUTOFF = 256


def alternatives(
    spec: FineTuneJobSpec, shape: ModelShape, data: DataStatistics, gpu: Gpu, decide: Decide
) -> list[Alternative]:
    """Single changes to the job that make it feasible: on this card first, since they cost nothing, then on others."""
    priced = [*_more_gpus(spec, shape, data, gpu, decide), *_other_gpus(spec, shape, data, decide)]
    return [
        *_other_methods(spec, shape, data, gpu, decide),
        *_smaller_models(spec, data, gpu, decide),
        *(alternative for _, alternative in sorted(priced, key=itemgetter(0))),
    ]


def _other_methods(
    spec: FineTuneJobSpec, shape: ModelShape, data: DataStatistics, gpu: Gpu, decide: Decide
) -> Iterator[Alternative]:
    """A method that needs less memory; where none is enough, qlora with a shorter cutoff.

    ``auto`` is cautious by its floors; who asks for qlora by name gets it where the memory model says it fits.
    """
    lighter = ("qlora",) if spec.method == "auto" else METHODS[METHODS.index(spec.method) + 1 :]
    for method in lighter:
        answer = decide(spec.model_copy(update={"method": method}), shape, data, gpu)
        if answer.feasible:
            because = "below the rule of thumb, but predicted to fit" if spec.method == "auto" else "needs less memory"
            yield _alternative(f"method={method}", answer, because)
            return
    explicit = spec.model_copy(update={"method": "qlora"})
    for cutoff in [*reversed(CUTOFFS), SHORTEST_CUTOFF]:
        if cutoff >= data.lengths.max or cutoff >= (spec.hyperparameters.cutoff_length or cutoff + 1):
            continue
        shorter = spec.hyperparameters.model_copy(update={"cutoff_length": cutoff})
        answer = decide(explicit.model_copy(update={"hyperparameters": shorter}), shape, data, gpu)
        if answer.feasible:
            yield _alternative(
                f"method=qlora hyperparameters.cutoffLength={cutoff}", answer, "rows longer than that lose their end"
            )
            return


def _smaller_models(spec: FineTuneJobSpec, data: DataStatistics, gpu: Gpu, decide: Decide) -> Iterator[Alternative]:
    found = 0
    for uri in smaller_models(spec.model.uri):
        smaller = shipped_shape(uri)
        if smaller is None or found == MOST_MODELS:
            continue
        answer = decide(spec, smaller, data, gpu)
        if answer.feasible:
            found += 1
            yield _alternative(f"model.uri={uri}", answer, f"{smaller.parameters / 1e9:.2f}B parameters")


def _more_gpus(
    spec: FineTuneJobSpec, shape: ModelShape, data: DataStatistics, gpu: Gpu, decide: Decide
) -> Iterator[tuple[float, Alternative]]:
    """The least number of the same card that is enough, with its price; that there are such machines is not known."""
    for count in MORE_PER_NODE:
        if gpu.is_cpu or count <= spec.gpu.per_node:
            continue
        more = spec.model_copy(update={"gpu": spec.gpu.model_copy(update={"per_node": count})})
        answer = decide(more, shape, data, gpu)
        if answer.feasible:
            yield _priced(f"gpu.perNode={count}", answer, gpu)
            return


def _other_gpus(
    spec: FineTuneJobSpec, shape: ModelShape, data: DataStatistics, decide: Decide
) -> Iterator[tuple[float, Alternative]]:
    found = 0
    for gpu in sorted(catalogue(), key=lambda gpu: (gpu.price_per_hour, gpu.memory_bytes)):
        if gpu.is_cpu or gpu.is_slice or found == MOST_GPUS:
            continue  # few clusters have slices, and theirs are cut their own way
        answer = decide(spec, shape, data, gpu)
        if answer.feasible:
            found += 1
            yield _priced(f"gpu.type={gpu.name}", answer, gpu)


def _priced(change: str, answer: Plan, gpu: Gpu) -> tuple[float, Alternative]:
    price = answer.gpu.count * gpu.price_per_hour
    return price, _alternative(change, answer, f"about {price:.2f} USD an hour")


def _alternative(change: str, answer: Plan, because: str) -> Alternative:
    assert answer.method is not None
    assert answer.memory is not None
    return Alternative(change=change, method=answer.method, peak_bytes=answer.memory.peak_bytes, because=because)
