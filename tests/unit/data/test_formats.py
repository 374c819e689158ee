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
SHARED = [{"from": "human", "value": "怎么退货？"}, {"from": "gpt", "value": "您可以申请退货。"}]


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
        ("messages", {"messages": [TURNS[0], TURNS[1] | {"weight": None, "tool_calls": None}]}, [USER, ANSWER]),
        ("conversations", {"conversations": [turn | {"from": None} for turn in TURNS]}, [USER, ANSWER]),
        ("sharegpt", {"conversations": SHARED}, [USER, ANSWER]),
        ("sharegpt", {"conversations": SHARED, "system": "你是客服。", "tools": ""}, [SYSTEM, USER, ANSWER]),
        (
            "sharegpt",
            {"conversations": [{"from": "system", "value": "你是客服。"}, *SHARED], "system": ""},
            [SYSTEM, USER, ANSWER],
        ),
        (
            "sharegpt",
            {"conversations": [{"from": name, "value": name} for name in ("user", "chatgpt", "human", "assistant")]},
            [
                Message("user", "user"), Message("assistant", "chatgpt"), Message("user", "human"),
                Message("assistant", "assistant"),
            ],
        ),
        ("prompt-completion", {"prompt": USER.content, "completion": ANSWER.content}, [USER, ANSWER]),
        ("prompt-completion", {"prompt": TURNS[:1], "completion": TURNS[1:]}, [USER, ANSWER]),
        (
            "prompt-completion",
            {"prompt": [{"role": "system", "content": "你是客服。"}, TURNS[0]], "completion": ANSWER.content},
            [SYSTEM, USER, ANSWER],
        ),
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
        ("messages", {"messages": [TURNS[0], {"role": "bot", "content": "x"}]}, "messages[1]: role 'bot' is none of"),
        (
            "messages",
            {"messages": [TURNS[0], {"role": "tool", "content": "x"}]},
            "messages[1]: role 'tool': tool calls cannot be trained on yet",
        ),
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
        *(
            (
                "sharegpt",
                {"conversations": [*SHARED, {"from": name, "value": "{}"}]},
                f"conversations[2]: from {name!r}: tool calls cannot be trained on yet",
            )
            for name in ("function_call", "observation", "tool")
        ),
        ("sharegpt", {"conversations": SHARED, "tools": "[{}]"}, "field 'tools': tool calls cannot be trained on yet"),
        (
            "sharegpt",
            {"conversations": [{"from": "bing", "value": "x"}]},
            "conversations[0]: from 'bing' is none of human, user, gpt",
        ),
        ("sharegpt", {"conversations": TURNS}, "conversations[0]: field 'from' is missing; there is 'role', 'content'"),
        ("sharegpt", {"conversations": [{"from": "human"}]}, "conversations[0]: field 'value' is missing"),
        ("sharegpt", {"conversations": ["hi"]}, "is text, where an object with from and value is needed"),
        ("sharegpt", {"conversations": SHARED, "system": ["x"]}, "field 'system' is a list, where text is needed"),
        (
            "sharegpt",
            {"conversations": [{"from": "system", "value": "x"}, *SHARED], "system": "y"},
            "both there: keep one",
        ),
        ("prompt-completion", {"prompt": "x"}, "field 'completion' is missing; there is 'prompt'"),
        ("prompt-completion", {"prompt": {"role": "user"}, "completion": "x"}, "'prompt' is an object, where text"),
        ("prompt-completion", {"prompt": ["x"], "completion": "x"}, "prompt[0]: is text, where an object with role"),
        ("prompt-completion", {"prompt": [], "completion": "x"}, "there is no message of the user"),
        ("prompt-completion", {"prompt": TURNS, "completion": "x"}, "field 'prompt' holds an answer"),
        ("prompt-completion", {"prompt": "x", "completion": "y", "tools": ["f"]}, "field 'tools'"),
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
    assert detect([chat], columns)[0].name == "conversations"
    assert list(to_example(1, chat, named("conversations"), columns).messages) == [USER]

    shared = {"dialogue": [{"who": "human", "says": "怎么退货？"}], "persona": "你是客服。"}
    columns = {"conversations": "dialogue", "from": "who", "value": "says", "system": "persona"}
    assert detect([shared], columns)[0].name == "sharegpt"
    assert list(to_example(1, shared, named("sharegpt"), columns).messages) == [SYSTEM, USER]

    pair = {"ask": "怎么退货？", "reply": [{"who": "assistant", "content": "您可以申请退货。"}]}
    columns = {"prompt": "ask", "completion": "reply", "role": "who"}
    assert detect([pair], columns)[0].name == "prompt-completion"
    assert list(to_example(1, pair, named("prompt-completion"), columns).messages) == [USER, ANSWER]


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
    format, why = detect([{"conversations": SHARED}, {"conversations": SHARED}, {"conversations": TURNS}], {})
    assert (format.name, why) == ("sharegpt", "2 of the first 3 readable rows look like it")
    format, why = detect([{"text": "x"}], {})
    assert (format.name, why) == ("alpaca", "no row looks like a known format")
    assert detect([], {})[0].name == "alpaca"
