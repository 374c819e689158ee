"""What the loss is on, family by family: the supervised tokens, decoded, against the exact text."""

import json
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import processors
from trainer_families import FAMILIES, make_family_tokenizer

from finetune_core.data import Example, Message, ToolCall, WrongSchema
from finetune_trainer.layout import turns
from finetune_trainer.template import ChatEncoder, Tokens

ENCODERS = {name: ChatEncoder(make_family_tokenizer(name)) for name in FAMILIES}

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
    },
}


def chat(*contents: str, system: str = "") -> Example:
    """User and assistant in turn."""
    messages = [Message("assistant" if place % 2 else "user", text) for place, text in enumerate(contents)]
    return Example(1, tuple([Message("system", system), *messages] if system else messages))


EXAMPLES = {
    "one turn": chat("2+2?", "Four."),
    "three turns": chat("a?", "One.", "b?", "Two.", "c?", "One."),
    "system": chat("Who?", "Me.", "Why?", "So.", system="Be terse."),
    "Chinese": chat("退货要几天？", "七天内。", "好的", "不客气！😀"),
    "left out": Example(
        1, (Message("user", "a?"), Message("assistant", "No.", trained=False), Message("user", "b?"),
            Message("assistant", "Yes.")),
    ),
    "last left out": Example(
        1, (Message("user", "a?"), Message("assistant", "Yes."), Message("user", "b?"),
            Message("assistant", "No.", trained=False)),
    ),
    "ends with the user": chat("a?", "One.", "b?"),
    "calls": Example(
        1,
        (Message("user", "北京天气？"),
         Message("assistant", "", calls=(ToolCall("weather", {"city": "北京", "days": 2}),)),
         Message("tool", '{"sky": "clear"}'), Message("assistant", "晴。"), Message("user", "Thanks"),
         Message("assistant", "Bye.")),
        tools=(WEATHER,),
    ),
    "ends with a call": Example(
        1, (Message("user", "Paris?"), Message("assistant", "", calls=(ToolCall("weather", {"city": "Paris"}),))),
        tools=(WEATHER,),
    ),
    "thoughts": Example(1, (Message("user", "2+2?"), Message("assistant", "Four.", thinking="Two and two."))),
    "thoughts in the text": chat("2+2?", "<think>\nTwo and two.\n</think>\n\nFour."),
    "thoughts twice": Example(
        1, (Message("user", "a?"), Message("assistant", "One.", thinking="Hm."), Message("user", "b?"),
            Message("assistant", "Two.", thinking="So.")),
    ),
}  # fmt: skip

END = "<|im_end|>"
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "%s}}\n</tool_call>' + END
NO_THOUGHT = "<think>\n\n</think>\n\n"
Expected = list[str] | type[WrongSchema]
EXPECTED: dict[str, dict[str, Expected]] = {
    "ChatML": {
        "one turn": ["Four." + END],
        "three turns": ["One." + END, "Two." + END, "One." + END],
        "system": ["Me." + END, "So." + END],
        "Chinese": ["七天内。" + END, "不客气！😀" + END],
        "left out": ["Yes." + END],
        "last left out": ["Yes." + END],
        "ends with the user": ["One." + END],
        "thoughts": ["<think>\nTwo and two.\n</think>\n\nFour." + END],
        "thoughts in the text": ["<think>\nTwo and two.\n</think>\n\nFour." + END],
        "thoughts twice": ["<think>\nHm.\n</think>\n\nOne." + END, "<think>\nSo.\n</think>\n\nTwo." + END],
    },
    "Qwen2.5": {
        "one turn": ["Four." + END],
        "three turns": ["One." + END, "Two." + END, "One." + END],
        "system": ["Me." + END, "So." + END],
        "Chinese": ["七天内。" + END, "不客气！😀" + END],
        "left out": ["Yes." + END],
        "last left out": ["Yes." + END],
        "ends with the user": ["One." + END],
        "calls": [CALL % '北京", "days": 2', "晴。" + END, "Bye." + END],
        "ends with a call": [CALL % 'Paris"'],
        "thoughts in the text": ["<think>\nTwo and two.\n</think>\n\nFour." + END],
    },
    "Qwen3": {
        "one turn": [NO_THOUGHT + "Four." + END],
        "three turns": ["One." + END, "Two." + END, NO_THOUGHT + "One." + END],
        "system": ["Me." + END, NO_THOUGHT + "So." + END],
        "Chinese": ["七天内。" + END, NO_THOUGHT + "不客气！😀" + END],
        "left out": [NO_THOUGHT + "Yes." + END],
        "last left out": ["Yes." + END],
        "ends with the user": ["One." + END],
        "calls": [CALL % '北京", "days": 2', "晴。" + END, NO_THOUGHT + "Bye." + END],
        "ends with a call": [NO_THOUGHT + CALL % 'Paris"'],
        "thoughts": ["<think>\nTwo and two.\n</think>\n\nFour." + END],
        "thoughts in the text": ["<think>\nTwo and two.\n</think>\n\nFour." + END],
        "thoughts twice": ["<think>\nSo.\n</think>\n\nTwo." + END],
    },
    "Llama-3": {
        "one turn": ["Four.<|eot_id|>"],
        "three turns": ["One.<|eot_id|>", "Two.<|eot_id|>", "One.<|eot_id|>"],
        "system": ["Me.<|eot_id|>", "So.<|eot_id|>"],
        "Chinese": ["七天内。<|eot_id|>", "不客气！😀<|eot_id|>"],
        "left out": ["Yes.<|eot_id|>"],
        "last left out": ["Yes.<|eot_id|>"],
        "ends with the user": ["One.<|eot_id|>"],
        "calls": [
            '{"name": "weather", "parameters": {"city": "北京", "days": 2}}<|eot_id|>', "晴。<|eot_id|>",
            "Bye.<|eot_id|>",
        ],
        "ends with a call": ['{"name": "weather", "parameters": {"city": "Paris"}}<|eot_id|>'],
    },
    "Mistral": {
        "one turn": [" Four.</s>"],
        "three turns": [" One.</s>", " Two.</s>", " One.</s>"],
        "system": [" Me.</s>", " So.</s>"],
        "Chinese": [" 七天内。</s>", " 不客气！😀</s>"],
        "left out": [" Yes.</s>"],
        "last left out": [" Yes.</s>"],
        "ends with the user": [" One.</s>"],
        "calls": [
            '[TOOL_CALLS][{"name": "weather", "arguments": {"city": "北京", "days": 2}, "id": "call00001"}]</s>',
            " 晴。</s>", " Bye.</s>",
        ],
        "ends with a call": [
            '[TOOL_CALLS][{"name": "weather", "arguments": {"city": "Paris"}, "id": "call00001"}]</s>'
        ],
    },
    "Gemma": {
        "one turn": ["Four.<end_of_turn>"],
        "three turns": ["One.<end_of_turn>", "Two.<end_of_turn>", "One.<end_of_turn>"],
        "system": WrongSchema,
        "Chinese": ["七天内。<end_of_turn>", "不客气！😀<end_of_turn>"],
        "left out": ["Yes.<end_of_turn>"],
        "last left out": ["Yes.<end_of_turn>"],
        "ends with the user": ["One.<end_of_turn>"],
        "calls": WrongSchema,
    },
    "Phi-3": {
        "one turn": ["Four.<|end|>\n<|endoftext|>"],
        "three turns": ["One.<|end|>", "Two.<|end|>", "One.<|end|>\n<|endoftext|>"],
        "system": ["Me.<|end|>", "So.<|end|>\n<|endoftext|>"],
        "Chinese": ["七天内。<|end|>", "不客气！😀<|end|>\n<|endoftext|>"],
        "left out": ["Yes.<|end|>\n<|endoftext|>"],
        "last left out": ["Yes.<|end|>"],
        "ends with the user": ["One.<|end|>"],
        "thoughts in the text": ["<think>\nTwo and two.\n</think>\n\nFour.<|end|>\n<|endoftext|>"],
    },
    "Phi-4-mini": {
        "one turn": ["Four.<|end|><|endoftext|>"],
        "three turns": ["One.<|end|>", "Two.<|end|>", "One.<|end|><|endoftext|>"],
        "system": ["Me.<|end|>", "So.<|end|><|endoftext|>"],
        "Chinese": ["七天内。<|end|>", "不客气！😀<|end|><|endoftext|>"],
        "left out": ["Yes.<|end|><|endoftext|>"],
        "last left out": ["Yes.<|end|>"],
        "ends with the user": ["One.<|end|>"],
        "thoughts in the text": ["<think>\nTwo and two.\n</think>\n\nFour.<|end|><|endoftext|>"],
    },
    "Phi-4": {
        "one turn": ["Four.<|im_end|>"],
        "three turns": ["One.<|im_end|>", "Two.<|im_end|>", "One.<|im_end|>"],
        "system": ["Me.<|im_end|>", "So.<|im_end|>"],
        "Chinese": ["七天内。<|im_end|>", "不客气！😀<|im_end|>"],
        "left out": ["Yes.<|im_end|>"],
        "last left out": ["Yes.<|im_end|>"],
        "ends with the user": ["One.<|im_end|>"],
        "thoughts in the text": ["<think>\nTwo and two.\n</think>\n\nFour.<|im_end|>"],
    },
    "GLM-4": {
        "one turn": ["\nFour.<|user|>"],
        "three turns": ["\nOne.<|user|>", "\nTwo.<|user|>", "\nOne.<|user|>"],
        "system": ["\nMe.<|user|>", "\nSo.<|user|>"],
        "Chinese": ["\n七天内。<|user|>", "\n不客气！😀<|user|>"],
        "left out": ["\nYes.<|user|>"],
        "last left out": ["\nYes.<|user|>"],
        "ends with the user": ["\nOne.<|user|>"],
        "calls": ['weather\n{"city": "北京", "days": 2}<|observation|>', "\n晴。<|user|>", "\nBye.<|user|>"],
        "ends with a call": ['weather\n{"city": "Paris"}<|observation|>'],
    },
}  # fmt: skip
UNLOCATED = {("Qwen3", "thoughts twice"): 1}
CASES = [
    pytest.param(family, case, expected, id=f"{family}: {case}")
    for family, cases in EXPECTED.items()
    for case, expected in cases.items()
]


def decode(encoder: ChatEncoder, ids: list[int]) -> str:
    return str(encoder.tokenizer.decode(ids, clean_up_tokenization_spaces=False))


def pieces(encoder: ChatEncoder, tokens: Tokens) -> list[str]:
    """Text of each run of supervised tokens."""
    runs = groupby(zip(tokens.input_ids, tokens.mask, strict=True), key=lambda pair: pair[1])
    return [decode(encoder, [token for token, _ in run]) for supervised, run in runs if supervised]


@pytest.mark.parametrize(("family", "case", "expected"), CASES)
def test_the_loss_is_on_what_the_assistant_has_to_write(family: str, case: str, expected: Expected) -> None:
    encoder, example = ENCODERS[family], EXAMPLES[case]
    if not isinstance(expected, list):
        with pytest.raises(expected, match="the chat template does not accept it"):
            encoder.encode(example)
        return
    tokens = encoder.encode(example)
    assert pieces(encoder, tokens) == expected
    assert tokens.unlocated == UNLOCATED.get((family, case), 0)
    text = encoder.render(list(turns(example.messages)), example.tools)
    assert decode(encoder, tokens.input_ids).removesuffix("<|user|>").removesuffix("<|observation|>") == text


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_begins_where_generation_does(family: str) -> None:
    encoder, example = ENCODERS[family], EXAMPLES["one turn"]
    tokens = encoder.encode(example)
    prompt = encoder.prompt(list(turns(example.messages[:-1])))
    assert tokens.input_ids[: len(prompt)] == prompt
    assert tokens.mask.index(True) == len(prompt)


@pytest.mark.parametrize("family", ["Llama-3", "Mistral", "Gemma"])
def test_a_row_begins_with_one_bos(family: str) -> None:
    tokenizer = make_family_tokenizer(family)
    bos = tokenizer.bos_token_id
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{tokenizer.bos_token} $A", special_tokens=[(tokenizer.bos_token, bos)]
    )
    encoder = ChatEncoder(tokenizer)
    assert encoder.tokenizer("x")["input_ids"][0] == bos  # it adds one to whatever text it gets
    assert encoder.encode(EXAMPLES["three turns"]).input_ids.count(bos) == 1
    plain = encoder.encode(plain_text("Once upon a time."))
    assert (plain.input_ids[0], plain.input_ids.count(bos), plain.mask[0]) == (bos, 1, False)
    assert encoder.encode(plain_text(f"{tokenizer.bos_token}Once upon a time.")) == plain


def plain_text(text: str) -> Example:
    return Example(1, (Message("assistant", text),), plain=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_plain_text_is_learned_whole_with_its_end(family: str) -> None:
    encoder = ENCODERS[family]
    eos = encoder.tokenizer.eos_token
    for text in ("从前有座山。\n山里有座庙。", f"One.{eos}Two.", f"Ended already.{eos}"):
        tokens = encoder.encode(plain_text(text))
        assert pieces(encoder, tokens) == [text.removesuffix(eos) + eos]
        assert tokens.input_ids.count(encoder.tokenizer.eos_token_id) == text.removesuffix(eos).count(eos) + 1


@pytest.mark.parametrize("family", FAMILIES)
def test_with_the_loss_on_prompts_only_what_is_left_out_is_left_out(family: str) -> None:
    encoder = ChatEncoder(make_family_tokenizer(family), train_on_prompt=True)
    assert all(encoder.encode(EXAMPLES["three turns"]).mask)
    learned = ENCODERS[family].encode(EXAMPLES["three turns"])
    example = EXAMPLES["three turns"]
    none = Example(1, tuple(message._replace(trained=False) for message in example.messages))
    assert encoder.encode(none).mask == [not supervised for supervised in learned.mask]


def test_with_the_loss_on_prompts_an_answer_left_out_that_cannot_be_located_takes_the_row_with_it() -> None:
    encoder = ChatEncoder(make_family_tokenizer("Qwen3"), train_on_prompt=True)
    first, thought, *rest = EXAMPLES["thoughts twice"].messages
    tokens = encoder.encode(Example(1, (first, thought._replace(trained=False), *rest)))
    assert (tokens.supervised, tokens.unlocated) == (0, 1)


# Texts that imitate templates, special tokens, and the marks that answers are located with.
TRICKS = [
    *sorted({token for family in FAMILIES.values() for token in family.special + family.added}),
    "assistant\n", "model\n", "<|im_start|>assistant\nFour.<|im_end|>\n", " [INST] x [/INST] y </s>", "{{ eos_token }}",
    '\ufdd0"0\ufdd1', '\ufdd0\\"3\ufdd1', "\ufdd0", "\U00100002im_end|>",
    "Four.", "答案", "😀", "\n", "\n\n\n", " ", '"', "\\",
]  # fmt: skip
LETTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="▁")
CONTENT = st.lists(st.sampled_from(TRICKS) | st.text(LETTERS, max_size=8), min_size=1, max_size=5).map("".join)
ANSWER = {
    "ChatML": "{}<|im_end|>", "Qwen2.5": "{}<|im_end|>", "Llama-3": "{}<|eot_id|>", "Mistral": " {}</s>",
    "Gemma": "{}<end_of_turn>", "Phi-3": "{}<|end|>", "Phi-4-mini": "{}<|end|>", "Phi-4": "{}<|im_end|>",
    "GLM-4": "\n{}<|user|>",
}  # fmt: skip


@pytest.mark.parametrize("family", ANSWER)
@settings(max_examples=150, deadline=None)
@given(contents=st.lists(CONTENT.filter(str.strip), min_size=2, max_size=6))
def test_whatever_is_said_the_loss_is_on_the_answers_alone(family: str, contents: list[str]) -> None:
    encoder, example = ENCODERS[family], chat(*contents)
    tokens = encoder.encode(example)
    strip = str.strip if family in ("Llama-3", "Mistral", "Gemma") else str
    expected = [ANSWER[family].format(strip(text)) for text in example.contents("assistant")]
    if family in ("Phi-3", "Phi-4-mini") and example.messages[-1].role == "assistant":
        expected[-1] += "\n<|endoftext|>" if family == "Phi-3" else "<|endoftext|>"
    for got, wanted in zip(pieces(encoder, tokens), expected, strict=True):
        # Line breaks that an answer begins with may be of one token with the header's.
        assert wanted.endswith(got)
        assert not wanted.removesuffix(got).strip()
    assert tokens.unlocated == 0
    harmless = encoder.encode(chat(*("x" for _ in contents)))
    assert special_tokens(encoder, tokens) == special_tokens(encoder, harmless)
    assert decode(encoder, tokens.input_ids).startswith(encoder.render(list(turns(example.messages))))


def special_tokens(encoder: ChatEncoder, tokens: Tokens) -> list[int]:
    """Those of a row in order."""
    special = {number for number, token in encoder.tokenizer.added_tokens_decoder.items() if token.special}
    return [token for token in tokens.input_ids if token in special]


@settings(max_examples=100, deadline=None)
@given(city=CONTENT, result=CONTENT, family=st.sampled_from(["Qwen2.5", "Qwen3", "Llama-3", "GLM-4"]))
def test_whatever_is_called_the_loss_is_on_the_call_and_not_on_its_result(city: str, result: str, family: str) -> None:
    call = Message("assistant", "", calls=(ToolCall("weather", {"at": [{"city": city}], "days": 2}),))
    messages = (Message("user", "北京?"), call, Message("tool", result), Message("assistant", "Clear."))
    encoder = ENCODERS[family]
    tokens = encoder.encode(Example(1, messages, tools=(WEATHER,)))
    arguments = json.dumps({"at": [{"city": city}], "days": 2}, ensure_ascii=False)
    called, answered = pieces(encoder, tokens)
    assert arguments in called
    assert called.startswith(("<tool_call>\n", '{"name": "weather"', "weather\n"))
    assert called.endswith(
        (arguments + "}\n</tool_call>" + END, arguments + "}<|eot_id|>", arguments + "<|observation|>")
    )
    assert answered.replace(NO_THOUGHT, "").strip().startswith("Clear.<|")
    assert tokens.unlocated == 0


def encoder_with(template: str) -> ChatEncoder:
    """ChatML's tokens under another template."""
    tokenizer = make_family_tokenizer("ChatML")
    tokenizer.chat_template = template
    return ChatEncoder(tokenizer)


MARKED = (
    "{% for message in messages %}"
    "{% if message.role == 'assistant' %}BEGIN{{ message.content }}END{{ '<|im_end|>\n' }}"
    "{% else %}{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
HEADER = "{{ '<|im_start|>assistant\n' }}"
MARKS = {
    "answers": MARKED.replace("BEGIN", HEADER + "{% generation %}").replace("END", "{% endgeneration %}"),
    "header and end": MARKED.replace("BEGIN", "{%- generation -%}" + HEADER).replace(
        "END{{ '<|im_end|>\n' }}", "{{ '<|im_end|>\n' }}{%- endgeneration -%}"
    ),
    "everything": "{% generation %}"
    + MARKED.replace("BEGIN", HEADER).replace("END", "").replace("{% endfor %}", "{% endfor %}{% endgeneration %}"),
    "in a macro": "{% macro say(m) %}" + HEADER + "{% generation %}{{ m.content }}{% endgeneration %}{% endmacro %}"
    + MARKED.replace("BEGIN{{ message.content }}END", "{{ say(message) }}"),
}  # fmt: skip


@pytest.mark.parametrize("template", MARKS.values(), ids=MARKS)
def test_generation_marks_are_freed_from_headers_and_given_the_end_of_turn(template: str) -> None:
    encoder = encoder_with(template)
    tokens = encoder.encode(EXAMPLES["three turns"])
    assert pieces(encoder, tokens) == EXPECTED["ChatML"]["three turns"]


def test_generation_marks_choose_which_answers_count() -> None:
    last_only = MARKED.replace("BEGIN", HEADER + "{% if loop.last %}{% generation %}").replace(
        "END", "{% endgeneration %}{% else %}{{ message.content }}{% endif %}"
    )
    last_only = last_only.replace(
        "{{ message.content }}{% endgeneration %}", "{{ message.content }}{% endgeneration %}"
    )
    encoder = encoder_with(last_only)
    tokens = encoder.encode(EXAMPLES["three turns"])
    assert pieces(encoder, tokens) == ["One." + END]
    assert tokens.unlocated == 2


PLAIN = "{% for message in messages %}{{ message.role ~ ': ' ~ CONTENT ~ '\n' }}{% endfor %}"
ASKING = "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("message.content", "One.", id="as it is"),
        pytest.param("(message.content | upper)", "ONE.", id="upper case"),
        pytest.param("(message.content | replace('One', 'Two'))", "Two.", id="words replaced"),
        pytest.param(
            "(message.content + '!' if 'One' in message.content else message.content)", "One.!", id="added to"
        ),
    ],
)
def test_templates_that_change_texts_are_followed(content: str, expected: str) -> None:
    encoder = encoder_with(PLAIN.replace("CONTENT", content) + ASKING)
    tokens = encoder.encode(chat("a?", "One.", "b?", "One."))
    assert pieces(encoder, tokens) == [f" {expected}", f" {expected}\n<|endoftext|>"]
    assert tokens.unlocated == 0


AS_IT_IS = PLAIN.replace("CONTENT", "message.content")
LOST = {
    "reversed": (PLAIN.replace("CONTENT", "message.content[::-1]") + ASKING, []),
    "dropped": (PLAIN.replace("CONTENT", "(message.content if message.role == 'user' else '')") + ASKING, []),
    "cut": (PLAIN.replace("CONTENT", "message.content[:3]") + ASKING, []),
    "doubled": (PLAIN.replace("CONTENT", "(message.content ~ message.content)") + ASKING, []),
    "newest first": (AS_IT_IS.replace("in messages", "in messages[::-1]") + ASKING, []),
    "asked for in another way": (AS_IT_IS + ASKING.replace("assistant:", "Bot>"), []),
    "asked for after the first question": (
        AS_IT_IS + ASKING.replace("'assistant:'", "messages[0].content ~ '\nassistant:'"), [" One."],
    ),
    "ended in another way": (
        PLAIN.replace("CONTENT", "message.content ~ ('<|im_end|>' if loop.last and loop.length % 2 == 0 else ';')")
        + ASKING, [" Two.<|im_end|>"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("template", "located"), LOST.values(), ids=LOST)
def test_an_answer_that_cannot_be_located_is_counted_and_not_guessed(template: str, located: list[str]) -> None:
    encoder = encoder_with(template)
    tokens = encoder.encode(chat("a?", "One.", "b?", "Two."))
    assert pieces(encoder, tokens) == located
    assert tokens.unlocated == 2 - len(located)


def test_a_space_that_ends_the_header_is_not_supervised_though_its_offsets_are_trimmed() -> None:
    prompt = "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    encoder = encoder_with(PLAIN.replace("CONTENT", "message.content") + prompt)
    encoder.tokenizer.backend_tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    tokens = encoder.encode(chat("6*7?", "42 is it.", "7*6?", "42"))
    assert pieces(encoder, tokens) == ["42 is it.", "42\n<|endoftext|>"]


@pytest.mark.parametrize("forged", ['\ufdd0"0\ufdd1', '\ufdd0"999999999\ufdd1'])
def test_forged_marks_locate_nothing(forged: str) -> None:
    encoder = encoder_with(PLAIN.replace("CONTENT", "(message.content | upper)"))
    tokens = encoder.encode(chat("a?", forged + "One.", "b?", "Two."))
    assert (tokens.supervised, tokens.unlocated) == (0, 2)


def test_templates_of_several_names_are_those_of_tools_and_of_none() -> None:
    tokenizer = make_family_tokenizer("Qwen3")
    tokenizer.chat_template = {
        "default": make_family_tokenizer("ChatML").chat_template, "tool_use": tokenizer.chat_template,
    }  # fmt: skip
    encoder = ChatEncoder(tokenizer)
    assert pieces(encoder, encoder.encode(EXAMPLES["one turn"])) == EXPECTED["ChatML"]["one turn"]
    assert pieces(encoder, encoder.encode(EXAMPLES["calls"])) == EXPECTED["Qwen3"]["calls"]


def test_an_answer_without_the_call_that_the_template_drops_is_not_supervised() -> None:
    encoder = ENCODERS["ChatML"]
    messages = (Message("user", "?"), Message("assistant", "Let me see.", calls=(ToolCall("weather", {}),)))
    tokens = encoder.encode(Example(1, messages))
    assert (tokens.supervised, tokens.unlocated) == (0, 1)


def test_an_answer_that_nobody_asked_for_is_supervised_where_the_template_can_begin_with_it() -> None:
    messages = (Message("system", "Greet."), Message("assistant", "Hello!"), Message("user", "Hi."))
    tokens = ENCODERS["ChatML"].encode(Example(1, messages))
    assert pieces(ENCODERS["ChatML"], tokens) == ["Hello!" + END]
    assert ENCODERS["ChatML"].encode(Example(1, messages[1:])).unlocated == 1
