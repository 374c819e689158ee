"""The loss and its gradients, against the plain way to compute them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import LlamaConfig, LlamaForCausalLM

from finetune_core.contract import parse_stage
from finetune_trainer import loss as loss_module
from finetune_trainer.attention import ROW_BY_ROW
from finetune_trainer.group import Group
from finetune_trainer.loss import WithLoss, mean_loss
from finetune_trainer.rows import MicroBatch, Rows, RowWriter
from finetune_trainer.template import Tokens

ROWS = [(12, range(2, 4)), (7, range(1, 7)), (15, range(14, 15)), (9, range(3, 9))]
"""Length, and supervised positions: few in some rows, nearly all in others."""
SUPERVISED = sum(len(places) for _, places in ROWS)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The rows as training reads them."""
    path = tmp_path_factory.mktemp("loss") / "rows.arrow"
    with RowWriter(path) as writer:
        for number, (length, supervised) in enumerate(ROWS):
            writer.write(Tokens(tokens_of(number).tolist(), [place in supervised for place in range(length)]))
    return Rows(path, cutoff_length=64)


def tokens_of(number: int) -> Tensor:
    return torch.randint(3, 300, (ROWS[number][0],), generator=torch.Generator().manual_seed(number))


def full_logits_loss(model: LlamaForCausalLM, *numbers: int) -> Tensor:
    """The textbook's: one row at a time, all logits, labels shifted by one."""
    losses = []
    for number in numbers:
        tokens = tokens_of(number)
        labels = torch.full_like(tokens, -100)
        labels[ROWS[number][1]] = tokens[ROWS[number][1]]
        model.set_attn_implementation("sdpa")
        logits = model(input_ids=tokens[None]).logits[0]
        model.set_attn_implementation(ROW_BY_ROW)
        losses.append(F.cross_entropy(logits[:-1], labels[1:], reduction="sum"))
    return torch.stack(losses).sum()


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


@pytest.fixture
def with_loss(model: LlamaForCausalLM) -> WithLoss:
    return WithLoss(model)


@pytest.mark.parametrize("numbers", [(0,), (1, 2), (0, 1, 2, 3)])
def test_the_sum_is_that_of_the_full_logits(
    model: LlamaForCausalLM, with_loss: WithLoss, rows: Rows, numbers: tuple[int, ...]
) -> None:
    ours, plain = with_loss(rows.micro_batch(numbers)), full_logits_loss(model, *numbers)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, plain, rtol=1e-6, atol=1e-5)
    assert largest_difference(gradients(model, (ours, 1)), gradients(model, (plain, 1))) < 1e-4


@pytest.mark.parametrize("size", [1, 2, 4])
def test_accumulation_gives_the_gradients_of_the_one_big_batch(
    model: LlamaForCausalLM, with_loss: WithLoss, rows: Rows, size: int
) -> None:
    expected = gradients(model, (full_logits_loss(model, 0, 1, 2, 3), SUPERVISED))
    parts = [rows.micro_batch(range(start, start + size)) for start in range(0, 4, size)]
    assert sum(part.supervised_tokens for part in parts) == SUPERVISED
    ours = gradients(model, *((with_loss(part), SUPERVISED) for part in parts))
    assert largest_difference(ours, expected) < 1e-5


def test_a_mean_per_micro_batch_would_give_other_gradients(
    model: LlamaForCausalLM, with_loss: WithLoss, rows: Rows
) -> None:
    """So that the test above is known to see the difference."""
    expected = gradients(model, (full_logits_loss(model, 0, 1, 2, 3), SUPERVISED))
    parts = [rows.micro_batch([number]) for number in range(4)]
    wrong = gradients(model, *((with_loss(part), 4 * part.supervised_tokens) for part in parts))
    assert largest_difference(wrong, expected) > 1e-3


def test_the_whole_matrix_of_logits_is_never_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """256 supervised tokens, a quarter of them at a time."""
    monkeypatch.setattr(loss_module, "LOGITS_AT_A_TIME", 64 * 2048)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=2048, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=2, attn_implementation=ROW_BY_ROW,
        )
    )  # fmt: skip
    tokens = torch.arange(257)
    batch = MicroBatch(
        tokens[None], tokens[None], torch.tensor([0, 257], dtype=torch.int32), tokens[:-1], tokens[1:], (257,)
    )
    largest = _LargestTensor()
    with largest:
        WithLoss(model)(batch).backward()
    assert largest.elements == 64 * 2048


@pytest.mark.parametrize("parts", [1, 4])
@pytest.mark.parametrize("bias", [False, True])
def test_head_and_loss_have_the_gradients_of_autograd(monkeypatch: pytest.MonkeyPatch, parts: int, bias: bool) -> None:
    generator = torch.Generator().manual_seed(5)
    states, weight, offset = (torch.randn(*size, generator=generator) for size in ((37, 8), (50, 8), (50,)))
    targets = torch.randint(50, (37,), generator=generator)
    monkeypatch.setattr(loss_module, "LOGITS_AT_A_TIME", -(-37 // parts) * 50)

    def gradients_of(summed: Callable[..., Tensor]) -> list[Tensor]:
        inputs = [
            tensor.clone().requires_grad_() for tensor in ((states, weight, offset) if bias else (states, weight))
        ]
        (3 * summed(*inputs)).backward()
        return [tensor.grad for tensor in inputs if tensor.grad is not None]

    ours = gradients_of(lambda x, w, b=None: loss_module._SummedCrossEntropy.apply(x, w, b, targets))
    plain = gradients_of(lambda x, w, b=None: F.cross_entropy(F.linear(x, w, b), targets, reduction="sum"))
    assert len(ours) == len(plain) == 2 + bias
    for gradient, expected in zip(ours, plain, strict=True):
        torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-5)


def test_the_sum_of_16_bit_states_is_no_16_bit_number() -> None:
    """4,000 tokens: a bf16 sum is rounded to steps of 64."""
    states, weight = torch.randn(4000, 8, dtype=torch.bfloat16), torch.randn(50, 8, dtype=torch.bfloat16)
    targets = torch.randint(50, (4000,))
    ours = loss_module._SummedCrossEntropy.apply(states, weight, None, targets)
    exact = F.cross_entropy(F.linear(states.double(), weight.double()), targets, reduction="sum")
    assert ours.dtype == torch.float32
    assert float(ours) == pytest.approx(float(exact), rel=1e-3)
    assert float(ours) != float(ours.bfloat16())


class _LargestTensor(TorchDispatchMode):
    """Elements of the largest tensor that any operation gives."""

    elements = 0

    def __torch_dispatch__(self, operation: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
        given = operation(*arguments, **named or {})
        for value in given if isinstance(given, tuple | list) else (given,):
            if isinstance(value, Tensor):
                self.elements = max(self.elements, value.numel())
        return given


def test_the_mean_is_over_all_supervised_tokens_however_they_are_batched(
    model: LlamaForCausalLM, with_loss: WithLoss, rows: Rows
) -> None:
    expected = float(full_logits_loss(model, 0, 1, 2, 3).detach()) / SUPERVISED
    device = torch.device("cpu")
    for groups in ([(0, 1, 2, 3)], [(0, 1, 2), (3,)], [(0,), (1,), (2,), (3,)]):
        batches = [rows.micro_batch(group) for group in groups]
        assert mean_loss(with_loss, batches, device, Group()) == pytest.approx(expected, rel=1e-6)


def test_measuring_the_mean_leaves_the_model_in_its_mode_and_without_gradients(
    model: LlamaForCausalLM, with_loss: WithLoss, rows: Rows
) -> None:
    model.zero_grad()
    for training in (True, False):
        with_loss.train(training)
        mean_loss(with_loss, [rows.micro_batch([0])], torch.device("cpu"), Group())
        assert model.training == training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_long_evaluation_shows_that_it_is_alive(
    with_loss: WithLoss, rows: Rows, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The operator takes a trainer that says nothing for hung."""
    batches = [rows.micro_batch([number]) for number in range(4)]
    mean_loss(with_loss, batches, torch.device("cpu"), Group())
    assert capsys.readouterr().out == ""  # it was quick
    monkeypatch.setattr(loss_module, "SECONDS_BETWEEN_WORDS", 0)
    mean_loss(with_loss, batches, torch.device("cpu"), Group())
    told = [parse_stage(line) for line in capsys.readouterr().out.splitlines()]
    assert told == [f"evaluating: {number} of 4 micro-batches" for number in range(4)]
