"""Tools, calls and their results in the ways that people write them."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from finetune_core.data import Message, WrongSchema, read_rows
from finetune_core.data.estimate import TokenCount, estimate
from finetune_core.data.example import Example, ToolCall, example_digest
from finetune_core.data.formats import FORMATS, detect, named, to_example

ASKED = Message("user", "北京天气怎么样？")
CALLED = Message("assistant", "", (ToolCall("get_weather", {"city": "北京"}),))
RESULT = Message("tool", '{"晴": 23}')
ANSWER = Message("assistant", "北京今天晴，23 度。")
FUNCTION = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
TOOL = {"type": "function", "function": FUNCTION}


def call(arguments: object) -> dict[str, object]:
    return {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": arguments}}


def openai(**of_the_call: object) -> dict[str, object]:
    return {
        "messages": [
            {"role": "user", "content": ASKED.content},
            {"role": "assistant", **of_the_call},
            {"role": "tool", "tool_call_id": "1", "name": "get_weather", "content": RESULT.content},
            {"role": "assistant", "content": ANSWER.content},
        ],
        "tools": [TOOL],
    }


def shared(*called: dict[str, object], tools: object = json.dumps([FUNCTION])) -> dict[str, object]:
    return {
        "conversations": [
            {"from": "human", "value": ASKED.content},
            *called,
            {"from": "observation", "value": RESULT.content},
            {"from": "gpt", "value": ANSWER.content},
        ],
        "tools": tools,
    }


def example(value: dict[str, object]) -> Example:
    return to_example(1, value, detect([value], {})[0], {})


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(openai(content=None, tool_calls=[call('{"city": "北京"}')]), id="arguments as JSON text"),
        pytest.param(openai(content="", tool_calls=[call({"city": "北京"})]), id="arguments as an object"),
        pytest.param(openai(tool_calls=[call({"city": "北京"})]), id="no content"),
        pytest.param(openai(tool_calls=json.dumps([call({"city": "北京"})])), id="calls as JSON text"),
        pytest.param(openai(tool_calls=[call({"city": "北京"})["function"]]), id="calls without type"),
        pytest.param(openai(tool_calls=[call({"city": "北京", "zip": None})], weight=None), id="nulls of Parquet"),
        pytest.param(
            shared({"from": "function_call", "value": '{"name": "get_weather", "arguments": {"city": "北京"}}'}),
            id="ShareGPT",
        ),
        pytest.param(
            shared(
                {"from": "tool_call", "value": {"name": "get_weather", "arguments": '{"city": "北京"}'}}, tools=[TOOL]
            ),
            id="ShareGPT, not as text",
        ),
    ],
)
def test_a_call_is_read_however_it_is_written(value):
    assert example(value) == Example(1, (ASKED, CALLED, RESULT, ANSWER), (TOOL,))


@pytest.mark.parametrize("tools", ["", "[]", [], None])
def test_no_tools_are_none(tools):
    assert example(openai(tool_calls=[call("{}")]) | {"tools": tools}).tools == ()


@pytest.mark.parametrize("arguments", ["{}", "", " ", {}, None])
def test_a_function_may_take_nothing(arguments):
    assert example(openai(tool_calls=[call(arguments)])).messages[1].calls == (ToolCall("get_weather", {}),)


def test_calls_join_the_words_before_them_and_each_other():
    """A chat template writes several calls only from within one message."""
    calls = [{"from": "tool_call", "value": json.dumps({"name": "f", "arguments": {"n": n}})} for n in range(3)]
    said = {"from": "gpt", "value": "我查一下。"}
    together = tuple(ToolCall("f", {"n": n}) for n in range(3))
    assert example(shared(said, *calls)).messages[1] == Message("assistant", "我查一下。", together)
    assert example(shared(*calls)).messages[1] == Message("assistant", "", together)
    at_once = [{"from": "function_call", "value": f"[{', '.join(str(call['value']) for call in calls)}]"}]
    assert example(shared(*at_once)).messages[1] == Message("assistant", "", together)


def test_a_call_that_is_not_to_be_learned_stays_apart():
    calls = [{"from": "tool_call", "value": '{"name": "f", "arguments": {}}', "weight": weight} for weight in (0, 1)]
    assert [message.trained for message in example(shared(*calls)).messages] == [True, False, True, True, True]


def test_tools_and_thinking_stand_beside_turns_of_any_format():
    thought = {"role": "assistant", "content": ANSWER.content, "reasoning_content": "先查。"}
    pair = {"prompt": ASKED.content, "completion": [thought], "functions": [FUNCTION]}
    read = to_example(1, pair, named("prompt-completion"), {"tools": "functions"})
    assert read == Example(1, (ASKED, Message("assistant", ANSWER.content, thinking="先查。")), (TOOL,))
    alpaca = {"instruction": ASKED.content, "output": ANSWER.content, "tools": json.dumps([TOOL], ensure_ascii=False)}
    assert example(alpaca) == Example(1, (ASKED, ANSWER), (TOOL,))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            openai(tool_calls=[call('{"city": ')]),
            "[1]: tool_calls[0]: field 'arguments' is text, but not valid JSON: Expecting value at character 10",
        ),
        (
            openai(tool_calls=[call('{"n": NaN}')]),
            "tool_calls[0]: field 'arguments' is text, but not valid JSON: NaN is not JSON",
        ),
        (openai(tool_calls=[call('{"n": 1, "n": 2}')]), "field 'n' is given twice"),
        (openai(tool_calls=[call('{"n": "\\ud800"}')]), "half of a surrogate pair"),
        (openai(tool_calls=[call('{"n": ' + "[" * 5000 + "]" * 5000 + "}")]), "nested too deeply"),
        (openai(tool_calls=[call('{"n": ' + "[" * 200 + "]" * 200 + "}")]), "nested too deeply"),
        (
            openai(tool_calls=[call('["北京"]')]),
            "tool_calls[0]: field 'arguments' is a list, where an object is needed",
        ),
        (openai(tool_calls=[call(["北京"])]), "tool_calls[0]: field 'arguments' is a list, where an object is needed"),
        (
            openai(tool_calls=[{"name": "f", "parameters": {"city": "北京"}}]),
            "messages[1]: tool_calls[0]: field 'arguments' is missing; there is 'name', 'parameters'",
        ),
        (openai(tool_calls=[{"id": "1"}]), "messages[1]: tool_calls[0]: is an object that names no function"),
        (openai(tool_calls=["f"]), "messages[1]: tool_calls[0]: is text that names no function"),
        (openai(tool_calls=1), "messages[1]: tool_calls[0]: is a number that names no function"),
        (
            openai(content=None, function_call={"name": "f", "arguments": "{}"}),
            "messages[1]: field 'function_call' is of",
        ),
        (
            {"messages": [{"role": "user", "content": "x", "tool_calls": [call("{}")]}]},
            "messages[0]: field 'tool_calls' is of the user, where only the assistant calls",
        ),
        (openai(), "messages[1]: field 'content' is missing; there is 'role'"),
        (openai(content="x") | {"tools": ["f"]}, "tools[0]: is text that names no function"),
        (openai(content="x") | {"tools": [{"type": "code_interpreter"}]}, "tools[0]: is an object that names no"),
        (openai(content="x") | {"tools": "get_weather"}, "field 'tools' is text, but not valid JSON: Expecting value"),
        (
            shared({"from": "function_call", "value": "retrieve_table()"}),
            "conversations[1]: field 'value' is text, but not valid JSON: Expecting value at character 1",
        ),
        (shared({"from": "function_call"}), "conversations[1]: value[0]: is null that names no function"),
        (shared({"from": "function_call", "value": "[]"}), "conversations[1]: field 'value' holds no call"),
    ],
)
def test_a_bad_call_says_where(value, message):
    with pytest.raises(WrongSchema) as caught:
        example(value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_tables_hold_conversations_as_json(tmp_path):
    value = openai(tool_calls=[call({"city": "北京"})])
    text = {name: json.dumps(value[name], ensure_ascii=False) for name in value}
    comma, columns = tmp_path / "data.csv", tmp_path / "data.parquet"
    quoted = [text[name].replace('"', '""') for name in ("messages", "tools")]
    comma.write_text(f'messages,tools,system\n"{quoted[0]}","{quoted[1]}",\n', encoding="utf-8")
    parquet.write_table(pa.Table.from_pylist([text]), columns)
    for path in (comma, columns):
        (row,) = read_rows(path)
        assert example(row.value) == Example(1, (ASKED, CALLED, RESULT, ANSWER), (TOOL,))


def test_parquet_gives_a_call_no_arguments_of_other_functions(tmp_path):
    other = {"id": "2", "type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": [{"c": 2}]}}}
    value = openai(tool_calls=[call({"city": "北京"}), other])
    path = tmp_path / "data.parquet"
    parquet.write_table(pa.Table.from_pylist([value]), path)
    (row,) = read_rows(path)
    assert row.value["messages"][1]["tool_calls"][0]["function"]["arguments"]["a"] is None
    assert example(row.value) == example(value)


def test_estimates_count_calls_thinking_and_tools_and_only_what_is_learned():
    bare = estimate(Example(1, (ASKED, ANSWER)))
    assert bare.length > bare.supervised > 0
    thought = estimate(Example(1, (ASKED, Message("assistant", ANSWER.content, thinking="先查天气，再回答。" * 10))))
    assert thought.length - bare.length == thought.supervised - bare.supervised == 64
    called = estimate(Example(1, (ASKED, CALLED, RESULT, ANSWER)))
    assert called.supervised - bare.supervised > len("get_weather") / 4
    assert called.length - bare.length > called.supervised - bare.supervised  # the result is read, not learned
    tooled = estimate(Example(1, (ASKED, ANSWER), (TOOL,) * 10))
    assert tooled.supervised == bare.supervised
    assert tooled.length - bare.length == pytest.approx(10 * len(json.dumps(TOOL)) / 4, rel=0.1)
    left_out = estimate(Example(1, (ASKED, Message("assistant", ANSWER.content, trained=False), ASKED, ANSWER)))
    assert left_out == TokenCount(2 * bare.length, bare.supervised)


NAMES = sorted({name for format in FORMATS for name in format.fields})
WORDS = st.sampled_from([
    *NAMES, "tool_calls", "function_call", "function", "name", "arguments", "weight", "thinking", "type", "user",
    "assistant", "tool", "human", "", "{}", "[]", '[{"role": "user", "content": "x"}]',
    '{"name": "f", "arguments": {}}', "[" * 200,
])  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3) | WORDS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12
)


@given(
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4),
    st.sampled_from(FORMATS),
    st.dictionaries(st.sampled_from(NAMES), WORDS, max_size=2),
)
@settings(max_examples=500, deadline=None)
def test_any_row_is_an_example_or_does_not_fit(value, format, columns):
    detect([value], columns)
    try:
        example = to_example(1, value, format, columns)
    except WrongSchema:
        return
    assert example.plain or example.contents("user")
    assert estimate(example).length > 0
    assert example_digest(example)


@pytest.mark.parametrize(
    ("said", "trained"),
    [({}, True), ({"weight": 1}, True), ({"weight": 0}, False), ({"train": True}, True), ({"train": False}, False),
     ({"loss": False}, False), ({"loss": None}, True)],
)  # fmt: skip
def test_an_answer_may_be_left_out_of_the_loss(said: dict[str, Any], trained: bool) -> None:
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", **said}]
    assert to_example(1, {"messages": turns}, named("messages"), {}).messages[1].trained is trained
