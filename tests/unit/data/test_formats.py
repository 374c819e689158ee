"""Rows of each format to examples."""

import pytest

from finetune_core.data import Message, WrongSchema
from finetune_core.data.formats import check_columns, detect, named, to_example
from finetune_core.errors import InvalidSpec

USER = Message("user", "怎么退货？")
ANSWER = Message("assistant", "您可以申请退货。")
SYSTEM = Message("system", "你是客服。")
ROW = {"instruction": USER.content, "output": ANSWER.content}
TURNS = [{"role": "user", "content": "怎么退货？"}, {"role": "assistant", "content": "您可以申请退货。"}]


@pytest.mark.parametrize(
    ("format", "value", "messages"),
    [
        ("alpaca", ROW, [USER, ANSWER]),
        ("alpaca", ROW | {"input": "", "id": 7}, [USER, ANSWER]),
        ("alpaca", ROW | {"input": None, "system": None, "history": None}, [USER, ANSWER]),
        ("alpaca", ROW | {"instruction": "", "input": USER.content}, [USER, ANSWER]),
        (
            "alpaca",
            {"instruction": "Translate.", "input": "你好", "output": "Hello"},
            [Message("user", "Translate.\n你好"), Message("assistant", "Hello")],
        ),
        (
            "alpaca",
            ROW | {"system": "你是客服。", "history": [["Hi", "Hello"]]},
            [SYSTEM, Message("user", "Hi"), Message("assistant", "Hello"), USER, ANSWER],
        ),
        ("alpaca", {"instruction": "怎么退货？", "history": "", "output": None}, [USER, Message("assistant", "")]),
        ("conversations", {"conversations": TURNS}, [USER, ANSWER]),
        ("messages", {"messages": [{"role": "system", "content": "你是客服。"}, *TURNS]}, [SYSTEM, USER, ANSWER]),
        ("messages", {"messages": [TURNS[0], TURNS[1] | {"weight": 1, "name": "bot"}], "tools": []}, [USER, ANSWER]),
    ],
)  # fmt: skip
def test_a_row_becomes_messages(format, value, messages):
    example = to_example(3, value, named(format), {})
    assert example.number == 3
    assert list(example.messages) == messages
    assert detect([value], {})[0].name == format


@pytest.mark.parametrize(
    ("format", "value", "message"),
    [
        ("alpaca", {}, "field 'instruction' is missing; there is no field at all"),
        ("alpaca", {"instruction": "x", "answer": "y"}, "field 'output' is missing; there is 'instruction', 'answer'"),
        ("alpaca", {f"{n}" * 50: 1 for n in range(10)}, f"there is '{'0' * 37}...', '{'1' * 37}...', "),
        ("alpaca", {f"{n}" * 50: 1 for n in range(10)}, f"'{'7' * 37}...' and 2 more"),
        ("alpaca", {"instruction": "x", "output": 1}, "field 'output' is a number, where text is needed"),
        ("alpaca", {"instruction": ["x"], "output": "y"}, "field 'instruction' is a list, where text is needed"),
        ("alpaca", {"instruction": "x", "output": "y", "history": [["q"]]}, "history[0] is not a pair of texts"),
        ("alpaca", {"instruction": "x", "output": "y", "history": [["q", None]]}, "history[0] is not a pair of texts"),
        ("alpaca", {"instruction": "x", "output": "y", "history": "q"}, "'history' is text, where a list is needed"),
        ("conversations", {"messages": TURNS}, "field 'conversations' is missing; there is 'messages'"),
        ("conversations", {"conversations": []}, "there is no message of the user"),
        ("conversations", {"conversations": [TURNS[1]]}, "there is no message of the user"),
        (
            "conversations",
            {"conversations": ["hi"]},
            "conversations[0]: is text, where an object with",
        ),
        (
            "conversations",
            {"conversations": [{"from": "human", "value": "hi"}]},
            "conversations[0]: field 'role' is missing; there is 'from', 'value'",
        ),
        ("messages", {"messages": [TURNS[0], {"role": "tool", "content": "x"}]}, "messages[1]: role 'tool' is none of"),
        ("messages", {"messages": [TURNS[0], {"role": "assistant"}]}, "messages[1]: field 'content' is missing"),
        (
            "messages",
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "'content' is a list, where text",
        ),
        (
            "messages",
            {"messages": [TURNS[0], {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]},
            "messages[1]: field 'tool_calls'",
        ),
        ("messages", {"messages": [TURNS[0], TURNS[1] | {"weight": 0}]}, "messages[1]: field 'weight'"),
        ("messages", {"messages": TURNS, "tools": [{"name": "f"}]}, "field 'tools'"),
    ],
)
def test_a_row_that_does_not_fit_says_which_field_is_to_blame(format, value, message):
    with pytest.raises(WrongSchema) as caught:
        to_example(1, value, named(format), {})
    assert message in str(caught.value)


def test_columns_rename_fields_in_the_row_and_in_its_messages():
    columns = {"instruction": "question", "output": "答案"}
    value = {"question": "怎么退货？", "答案": "您可以申请退货。"}
    assert detect([value], columns)[0].name == "alpaca"
    assert list(to_example(1, value, named("alpaca"), columns).messages) == [USER, ANSWER]

    chat = {"dialogue": [{"who": "user", "content": "怎么退货？"}]}
    columns = {"conversations": "dialogue", "role": "who"}
    assert list(to_example(1, chat, named("conversations"), columns).messages) == [USER]


def test_a_missing_field_is_named_as_in_the_data():
    with pytest.raises(WrongSchema, match="field 'answer' is missing"):
        to_example(1, {"instruction": "x"}, named("alpaca"), {"output": "answer"})


def test_columns_the_format_does_not_have_are_refused():
    with pytest.raises(InvalidSpec, match="'ouput' is no field of alpaca, which has instruction, input"):
        check_columns(named("alpaca"), {"ouput": "answer"})


def test_detection_goes_by_the_majority_and_says_why():
    alpaca, chat = {"instruction": "x", "output": "y"}, {"messages": TURNS}
    format, why = detect([alpaca, chat, chat], {})
    assert (format.name, why) == ("messages", "2 of the first 3 readable rows look like it")
    format, why = detect([{"text": "x"}], {})
    assert (format.name, why) == ("alpaca", "no row looks like a known format")
    assert detect([], {})[0].name == "alpaca"
