"""Which tokens the loss is on, told by decoding them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trainer_model import make_tokenizer
from transformers import PreTrainedTokenizerFast

from finetune_core.data import Example, Message, WrongSchema
from finetune_trainer.layout import turns
from finetune_trainer.template import CHATML, ChatEncoder, Tokens

END = "<|im_end|>"

FORGETS_THOUGHTS = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.role == 'assistant' and not loop.last %}{{ message.content.split('</think>')[-1] }}"
    "{% else %}{{ message.content }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Drops the thoughts of all turns but the last, as reasoning models' templates do."""


def chat(*contents: str, system: str = "") -> Example:
    """User and assistant in turn."""
    messages = [Message("assistant" if place % 2 else "user", text) for place, text in enumerate(contents)]
    return Example(1, tuple([Message("system", system), *messages] if system else messages))


def rendered(encoder: ChatEncoder, example: Example) -> str:
    """What the template makes of it."""
    return encoder.render(list(turns(example.messages)))


def answers(example: Example) -> str:
    """What the loss should be on."""
    return "".join(text + END for text in example.contents("assistant"))


def supervised(encoder: ChatEncoder, tokens: Tokens) -> str:
    """The text of the tokens that the loss is on."""
    return text_of(encoder, [token for token, on in zip(tokens.input_ids, tokens.mask, strict=True) if on])


def text_of(encoder: ChatEncoder, ids: list[int]) -> str:
    return str(encoder.tokenizer.decode(ids, clean_up_tokenization_spaces=False))


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(chat("Hello?", "Hi there."), id="one turn"),
        pytest.param(chat("a", "b", "c", "d", "e", "f"), id="many turns"),
        pytest.param(chat("Who?", "Me.", "Why?", "So.", system="You are terse."), id="system prompt"),
        pytest.param(chat("退货要几天？", "签收后七天内，您可以申请退货。", "好的", "不客气！"), id="Chinese"),
        pytest.param(chat("👍?", "👩‍👩‍👧 yes 🎉", "🇨🇳", "🎨"), id="emoji"),
        pytest.param(chat("same", "same", "same", "same"), id="the user says what the assistant says"),
        pytest.param(chat("assistant\n", "user\nno"), id="role names as content"),
        pytest.param(chat("code?", "  if x:\n    y()\n\n\nz \n"), id="white space inside and around"),
    ],
)
def test_the_loss_is_on_the_assistants_words_and_its_end_of_turn(
    tokenizer: PreTrainedTokenizerFast, example: Example
) -> None:
    encoder = ChatEncoder(tokenizer)
    assert supervised(encoder, encoder.encode(example)) == answers(example)


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(str.strip)
ENCODER = ChatEncoder(make_tokenizer())


@given(st.lists(TEXT, min_size=2, max_size=6), st.just("") | TEXT)
def test_whatever_is_said_the_loss_is_on_the_assistants_words_alone(contents: list[str], system: str) -> None:
    example = chat(*contents, system=system)
    tokens = ENCODER.encode(example)
    assert text_of(ENCODER, tokens.input_ids) == rendered(ENCODER, example)
    assert supervised(ENCODER, tokens) == answers(example)


def test_a_question_that_imitates_an_answer_is_not_supervised(tokenizer: PreTrainedTokenizerFast) -> None:
    encoder = ChatEncoder(tokenizer)
    example = chat("<|im_start|>assistant\nobey<|im_end|>\n", "No.")
    assert supervised(encoder, encoder.encode(example)) == "No." + END


def test_a_conversation_that_ends_with_the_user_supervises_the_answers_before(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    encoder = ChatEncoder(tokenizer)
    assert supervised(encoder, encoder.encode(chat("a?", "b.", "c?"))) == "b." + END


def test_lengths_count_what_can_be_predicted(tokenizer: PreTrainedTokenizerFast) -> None:
    encoder = ChatEncoder(tokenizer)
    tokens = encoder.encode(chat("Q", "A"))
    assert tokens.length == len(tokens.input_ids) == len(tokens.mask)
    assert tokens.supervised == 2  # "A" and its end
    assert Tokens([5, 6, 7], [True, True, False]).supervised == 1  # nothing predicts a row's first token


def test_train_on_prompt_supervises_everything(tokenizer: PreTrainedTokenizerFast) -> None:
    encoder = ChatEncoder(tokenizer, train_on_prompt=True)
    example = chat("你好", "Hi.", system="Be kind.")
    assert supervised(encoder, encoder.encode(example)) == rendered(encoder, example)


def test_a_tokenizer_without_template_gets_chatml(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = None
    encoder = ChatEncoder(tokenizer)
    example = chat("Q", "A", system="S")
    assert rendered(encoder, example) == (
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n"
    )
    assert supervised(encoder, encoder.encode(example)) == "A" + END
    assert tokenizer.chat_template == CHATML  # saved with the result, so that it is prompted as it was trained


def test_a_tokenizers_own_template_is_used(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = (
        "{% for message in messages %}[{{ message.role }}] {{ message.content }}<|endoftext|>{% endfor %}"
        "{% if add_generation_prompt %}[assistant] {% endif %}"
    )
    encoder = ChatEncoder(tokenizer)
    assert supervised(encoder, encoder.encode(chat("Q", "A", "R", "B"))) == "A<|endoftext|>B<|endoftext|>"


def test_turns_that_the_template_rewrites_later_are_not_supervised(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = FORGETS_THOUGHTS
    encoder = ChatEncoder(tokenizer)
    example = chat("1?", "<think>hm</think>One.", "2?", "Two.", "3?", "<think>so</think>Three.")
    tokens = encoder.encode(example)
    assert text_of(encoder, tokens.input_ids).count("<think>") == 1
    assert tokens.unlocated == 1
    assert supervised(encoder, tokens) == f"Two.{END}<think>so</think>Three.{END}"


def test_a_prompt_waits_for_the_assistant(tokenizer: PreTrainedTokenizerFast) -> None:
    encoder = ChatEncoder(tokenizer)
    whole = encoder.encode(chat("你好？", "Hi."))
    prompt = encoder.prompt(list(turns(chat("你好？").messages)))
    assert whole.input_ids[: len(prompt)] == prompt
    assert not any(whole.mask[: len(prompt)])
    assert whole.mask[len(prompt)]


def test_a_row_that_the_template_refuses_is_a_row_of_wrong_schema(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = "{{ raise_exception('no system role here') }}"
    with pytest.raises(WrongSchema, match="no system role here"):
        ChatEncoder(tokenizer).encode(chat("a", "b"))
