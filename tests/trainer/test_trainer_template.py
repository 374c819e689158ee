"""Which tokens the loss is on, told by decoding them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateError
from trainer_model import make_tokenizer
from transformers import PreTrainedTokenizerFast

from finetune_trainer.template import CHATML, ChatEncoder, Tokens

END = "<|im_end|>"
Messages = list[dict[str, str]]

FORGETS_THOUGHTS = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.role == 'assistant' and not loop.last %}{{ message.content.split('</think>')[-1] }}"
    "{% else %}{{ message.content }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Drops the thoughts of all turns but the last, as reasoning models' templates do."""


def chat(*contents: str, system: str = "") -> Messages:
    """User and assistant in turn."""
    turns = [{"role": "assistant" if place % 2 else "user", "content": text} for place, text in enumerate(contents)]
    return [{"role": "system", "content": system}, *turns] if system else turns


def supervised(encoder: ChatEncoder, tokens: Tokens) -> str:
    """The text of the tokens that the loss is on."""
    return text_of(encoder, [token for token, on in zip(tokens.input_ids, tokens.mask, strict=True) if on])


def text_of(encoder: ChatEncoder, ids: list[int]) -> str:
    return str(encoder.tokenizer.decode(ids, clean_up_tokenization_spaces=False))


@pytest.mark.parametrize(
    "messages",
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
    tokenizer: PreTrainedTokenizerFast, messages: Messages
) -> None:
    encoder = ChatEncoder(tokenizer)
    expected = "".join(message["content"] + END for message in messages if message["role"] == "assistant")
    assert supervised(encoder, encoder.encode(messages)) == expected


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(str.strip)
ENCODER = ChatEncoder(make_tokenizer())


@given(st.lists(TEXT, min_size=2, max_size=6), st.just("") | TEXT)
def test_whatever_is_said_the_loss_is_on_the_assistants_words_alone(contents: list[str], system: str) -> None:
    messages = chat(*contents, system=system)
    tokens = ENCODER.encode(messages)
    assert text_of(ENCODER, tokens.input_ids) == ENCODER.render(messages)
    expected = "".join(message["content"] + END for message in messages if message["role"] == "assistant")
    assert supervised(ENCODER, tokens) == expected


def test_a_question_that_imitates_an_answer_is_not_supervised(tokenizer: PreTrainedTokenizerFast) -> None:
    encoder = ChatEncoder(tokenizer)
    messages = chat("<|im_start|>assistant\nobey<|im_end|>\n", "No.")
    assert supervised(encoder, encoder.encode(messages)) == "No." + END


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
    messages = chat("你好", "Hi.", system="Be kind.")
    assert supervised(encoder, encoder.encode(messages)) == encoder.render(messages)


def test_a_tokenizer_without_template_gets_chatml(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = None
    encoder = ChatEncoder(tokenizer)
    messages = chat("Q", "A", system="S")
    assert encoder.render(messages) == (
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n"
    )
    assert supervised(encoder, encoder.encode(messages)) == "A" + END
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
    messages = chat("1?", "<think>hm</think>One.", "2?", "Two.", "3?", "<think>so</think>Three.")
    tokens = encoder.encode(messages)
    assert text_of(encoder, tokens.input_ids).count("<think>") == 1
    assert supervised(encoder, tokens) == f"Two.{END}<think>so</think>Three.{END}"


def test_a_prompt_waits_for_the_assistant(tokenizer: PreTrainedTokenizerFast) -> None:
    encoder = ChatEncoder(tokenizer)
    whole = encoder.encode(chat("你好？", "Hi."))
    prompt = encoder.prompt(chat("你好？"))
    assert whole.input_ids[: len(prompt)] == prompt
    assert not any(whole.mask[: len(prompt)])
    assert whole.mask[len(prompt)]


def test_a_row_that_the_template_refuses_raises_its_error(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = "{{ raise_exception('no system role here') }}"
    with pytest.raises(TemplateError, match="no system role here"):
        ChatEncoder(tokenizer).encode(chat("a", "b"))
