"""The loss and its gradients, against the plain way to compute them."""

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from transformers import LlamaForCausalLM

from finetune_trainer.loss import mean_loss, summed_loss
from finetune_trainer.rows import IGNORED, MicroBatch

PAD = 0
ROWS = [(12, range(2, 4)), (7, range(1, 7)), (15, range(14, 15)), (9, range(3, 9))]
"""Length, and supervised positions: few in some rows, nearly all in others."""


def batch_of(*numbers: int, padding: int = 0) -> MicroBatch:
    """Some of the rows, right-padded to the longest and ``padding`` further."""
    longest = max(ROWS[number][0] for number in numbers) + padding
    input_ids = torch.full((len(numbers), longest), PAD)
    labels = torch.full((len(numbers), longest), IGNORED)
    for place, number in enumerate(numbers):
        length, supervised = ROWS[number]
        tokens = torch.randint(3, 300, (length,), generator=torch.Generator().manual_seed(number))
        input_ids[place, :length] = tokens
        labels[place, supervised] = tokens[supervised]
    return MicroBatch(
        input_ids, labels, sum(ROWS[number][0] for number in numbers), int((labels[:, 1:] != IGNORED).sum())
    )


def full_logits_loss(model: LlamaForCausalLM, batch: MicroBatch) -> Tensor:
    """The textbook's: all logits, shifted labels, an attention mask over the padding."""
    logits = model(input_ids=batch.input_ids, attention_mask=(batch.input_ids != PAD).long()).logits
    return F.cross_entropy(
        logits[:, :-1].reshape(-1, logits.shape[-1]), batch.labels[:, 1:].reshape(-1), reduction="sum"
    )


def gradients(model: LlamaForCausalLM, *parts: tuple[Tensor, int]) -> dict[str, Tensor]:
    """Gradients of the sum of ``loss / divisor``, accumulated part by part."""
    model.zero_grad()
    for loss, divisor in parts:
        (loss / divisor).backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}


def largest_difference(left: dict[str, Tensor], right: dict[str, Tensor]) -> float:
    assert left.keys() == right.keys()
    return max(float((left[name] - right[name]).abs().max()) for name in left)


@pytest.fixture
def model(llama: LlamaForCausalLM) -> Iterator[LlamaForCausalLM]:
    yield llama
    llama.zero_grad()


@pytest.mark.parametrize("numbers", [(0,), (1, 2), (0, 1, 2, 3)])
def test_the_sum_is_that_of_the_full_logits(model: LlamaForCausalLM, numbers: tuple[int, ...]) -> None:
    batch = batch_of(*numbers)
    ours, plain = summed_loss(model, batch), full_logits_loss(model, batch)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, plain, rtol=1e-6, atol=1e-5)
    assert largest_difference(gradients(model, (ours, 1)), gradients(model, (plain, 1))) < 1e-4


@pytest.mark.parametrize("size", [1, 2, 4])
def test_accumulation_gives_the_gradients_of_the_one_big_batch(model: LlamaForCausalLM, size: int) -> None:
    whole = batch_of(0, 1, 2, 3)
    expected = gradients(model, (full_logits_loss(model, whole), whole.supervised_tokens))
    parts = [batch_of(*range(start, start + size)) for start in range(0, 4, size)]
    assert sum(part.supervised_tokens for part in parts) == whole.supervised_tokens
    ours = gradients(model, *((summed_loss(model, part), whole.supervised_tokens) for part in parts))
    assert largest_difference(ours, expected) < 1e-5


def test_a_mean_per_micro_batch_would_give_other_gradients(model: LlamaForCausalLM) -> None:
    """So that the test above is known to see the difference."""
    whole = batch_of(0, 1, 2, 3)
    expected = gradients(model, (full_logits_loss(model, whole), whole.supervised_tokens))
    parts = [batch_of(number) for number in range(4)]
    wrong = gradients(model, *((summed_loss(model, part), 4 * part.supervised_tokens) for part in parts))
    assert largest_difference(wrong, expected) > 1e-3


def test_right_padding_changes_nothing(model: LlamaForCausalLM) -> None:
    tight, padded = batch_of(0, 1), batch_of(0, 1, padding=9)
    torch.testing.assert_close(summed_loss(model, padded), summed_loss(model, tight), rtol=1e-6, atol=1e-5)
    difference = largest_difference(
        gradients(model, (summed_loss(model, tight), tight.supervised_tokens)),
        gradients(model, (summed_loss(model, padded), padded.supervised_tokens)),
    )
    assert difference < 1e-5


def test_the_mean_is_over_all_supervised_tokens_however_they_are_batched(model: LlamaForCausalLM) -> None:
    whole = batch_of(0, 1, 2, 3)
    expected = float(full_logits_loss(model, whole).detach()) / whole.supervised_tokens
    device = torch.device("cpu")
    for batches in ([whole], [batch_of(0, 1, 2), batch_of(3)], [batch_of(number) for number in range(4)]):
        assert mean_loss(model, batches, device) == pytest.approx(expected, rel=1e-6)


def test_measuring_the_mean_leaves_the_model_in_its_mode_and_without_gradients(model: LlamaForCausalLM) -> None:
    model.zero_grad()
    for training in (True, False):
        model.train(training)
        mean_loss(model, [batch_of(0)], torch.device("cpu"))
        assert model.training == training
    assert all(parameter.grad is None for parameter in model.parameters())
