"""Rows of each format to examples."""

import json

import pytest

from finetune_core.data import Message, WrongSchema
from finetune_core.data.formats import check_columns, detect, named, to_example
from finetune_core.errors import InvalidSpec

USER = Message("user", "怎么退货？")
ANSWER = Message("assistant", "您可以申请退货。")
SYSTEM = Message("system", "你是客服。")
ROW = {"instruction": USER.content, "output": ANSWER.content}
TURNS = [{"role": "user", "content": "怎么退货？"}, {"role": "assistant", "content": "您可以申请退货。"}]
PART = {"type": "text", "image_url": None}
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
        # Only the completion is meant to be learned.
        (
            "prompt-completion",
            {"prompt": [*TURNS, TURNS[0]], "completion": TURNS[1:]},
            [USER, ANSWER._replace(trained=False), USER, ANSWER],
        ),
        ("messages", {"messages": [{"role": "developer", "content": "你是客服。"}, *TURNS]}, [SYSTEM, USER, ANSWER]),
        ("messages", {"messages": TURNS, "system": "你是客服。"}, [SYSTEM, USER, ANSWER]),
        (
            "messages",
            {"messages": [{"role": "system", "content": "你是客服。"}, *TURNS], "system": "你是客服。"},
            [SYSTEM, USER, ANSWER],
        ),
        ("messages", {"messages": json.dumps(TURNS)}, [USER, ANSWER]),
        ("sharegpt", {"conversations": json.dumps(SHARED, ensure_ascii=False), "system": ""}, [USER, ANSWER]),
        (
            "alpaca",
            ROW | {"history": '[["Hi", "Hello"]]'},
            [Message("user", "Hi"), Message("assistant", "Hello"), USER, ANSWER],
        ),
        (
            "messages",
            {"messages": [TURNS[0], TURNS[1] | {"weight": 0}, TURNS[0], TURNS[1] | {"weight": 1}]},
            [USER, ANSWER._replace(trained=False), USER, ANSWER],
        ),
        ("messages", {"messages": [TURNS[0] | {"weight": 0}, TURNS[1]]}, [USER, ANSWER]),
        *(
            ("messages", {"messages": [TURNS[0], TURNS[1] | {field: "查。"}]}, [USER, ANSWER._replace(thinking="查。")])
            for field in ("reasoning_content", "thinking")
        ),
        (
            "messages",
            {"messages": [TURNS[0] | {"content": [PART | {"text": "怎么"}, PART | {"text": "退货？"}]}, TURNS[1]]},
            [USER, ANSWER],
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
            {"messages": [TURNS[0], {"role": "function", "content": "x"}]},
            "role 'function' is none of system",
        ),
        ("messages", {"messages": [TURNS[0], {"role": "assistant"}]}, "messages[1]: field 'content' is missing"),
        (
            "messages",
            {"messages": [TURNS[0], TURNS[1] | {"weight": 0.5}]},
            "messages[1]: field 'weight' is 0.5, where 0",
        ),
        ("messages", {"messages": [TURNS[0], TURNS[1] | {"weight": []}]}, "messages[1]: field 'weight' is [], where 0"),
        (
            "messages",
            {"messages": [TURNS[0], TURNS[1] | {"reasoning_content": 1}]},
            "messages[1]: field 'reasoning_content' is a number, where text is needed",
        ),
        (
            "messages",
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "messages[0]: content[0] is of type 'image_url': only 'text', with a text, can be trained on",
        ),
        ("messages", {"messages": [{"role": "user", "content": ["x"]}]}, "content[0] is text, where an object"),
        (
            "messages",
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0]: content[0] is of type 'text': only 'text', with a text",
        ),
        (
            "messages",
            {"messages": "[{'role': 'user'}]"},
            "field 'messages' is text, but not valid JSON: Expecting property",
        ),
        ("messages", {"messages": "hi"}, "field 'messages' is text, where a list is needed"),
        ("messages", {"messages": TURNS, "system": 1}, "field 'system' is a number, where text is needed"),
        (
            "sharegpt",
            {"conversations": [{"from": "bing", "value": "x"}]},
            "conversations[0]: from 'bing' is none of system, developer, user, human, assistant, gpt",
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
        ("text", {}, "field 'text' is missing; there is no field at all"),
        ("text", {"text": ["x"]}, "field 'text' is a list, where text is needed"),
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
    format, why = detect([{"content": "x"}], {})
    assert (format.name, why) == ("alpaca", "no row looks like a known format")
    assert detect([], {})[0].name == "alpaca"
