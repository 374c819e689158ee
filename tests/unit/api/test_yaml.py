"""YAML means here what it means to kubectl; and what would do harm is refused in one line."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_core.api.yaml import load_yaml
from finetune_core.errors import InvalidSpec

# What sigs.k8s.io/yaml 1.6.0 (YAMLToJSONStrict), the library inside kubectl, answered.
KUBECTL: dict[str, Any] = {
    # numbers with an exponent
    "5e-5": 5e-5, "5E-5": 5e-5, "5.e-5": 5e-5, "1e3": 1000, "1e+3": 1000, "12e03": 12000, "-1.5e+10": -15_000_000_000,
    "1e400": "1e400", "-1e400": "-1e400", "1e-400": 0, "1e-5x": "1e-5x", "1e": "1e", "e5": "e5",
    # with a point
    ".5": 0.5, "+.5": 0.5, "-.5": -0.5, "1.": 1, "1.0": 1, "0.0": 0, "-0.0": 0, "3.0e0": 3, "0.1.2": "0.1.2",
    ".": ".", "-.": "-.",
    # integers
    "3": 3, "+3": 3, "-0": 0, "0": 0, "12345678901234567890": 12_345_678_901_234_567_890,
    "1,000": "1,000", "9" * 400: "9" * 400,
    # other bases
    "010": 8, "-010": -8, "0777": 511, "08": 8, "019": 19, "0o10": 8, "0O10": 8, "0o9": "0o9", "0x1F": 31, "-0x1F": -31,
    "0X1F": 31, "0x": "0x", "0b11": 3, "0B11": 3, "0b2": "0b2",
    # underscores
    "1_000": 1000, "1__0": 10, "0_1": 1, "07_7": 63, "0x1_F": 31, "1_000.5": 1000.5, "1e1_0": 10_000_000_000,
    "_1": "_1", "0x_": "0x_", "0b_": "0b_", "0o_": "0o_",
    # booleans
    "on": True, "On": True, "ON": True, "yes": True, "y": True, "Y": True, "true": True, "True": True, "TRUE": True,
    "off": False, "no": False, "n": False, "N": False, "false": False, "False": False, "tRUE": "tRUE", "yEs": "yEs",
    # nothing
    "null": None, "~": None, "Null": None, "NULL": None, "": None, "nULL": "nULL",
    # what looks like something else
    "1:30": "1:30", "2024-01-01": "2024-01-01", "2024-01-01T00:00:00Z": "2024-01-01T00:00:00Z", "=": "=", "<<": "<<",
    "inf": "inf", "nan": "nan", "NaN": "NaN", "'5e-5'": "5e-5", '"010"': "010", "'on'": "on", "!!str 5": "5",
    # in collections
    "[on, 5e-5]": [True, 5e-5], "{a: 1}": {"a": 1}, "|\n  on": "on", "!!int 5": 5, "!!float 5": 5,
    # keys
    "{1: 2}": {"1": 2}, "{on: 1}": {"true": 1}, "{n: 1}": {"false": 1}, "{010: 1}": {"8": 1}, "{1.5: 2}": {"1.5": 2},
    "{5e-5: 2}": {"5e-05": 2}, "{2024-01-01: 1}": {"2024-01-01": 1},
}  # fmt: skip


@pytest.mark.parametrize(("text", "meaning"), KUBECTL.items(), ids=[repr(text)[:24] for text in KUBECTL])
def test_a_scalar_means_what_it_means_to_kubectl(text: str, meaning: Any) -> None:
    loaded = load_yaml(text)
    assert loaded == meaning
    assert type(loaded) is type(meaning)


@pytest.mark.parametrize("text", [".inf", "-.inf", "+.inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"])
def test_numbers_that_json_cannot_carry_are_refused(text: str) -> None:
    with pytest.raises(InvalidSpec, match=f"line 2: .*{text[-3:]} is not a number that JSON can carry"):
        load_yaml(f"a: 1\nb: {text}\n")


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(deadline=None)
def test_any_number_survives(number: float) -> None:
    loaded = load_yaml(repr(number))
    assert isinstance(loaded, float | int)
    assert math.isclose(loaded, number, rel_tol=1e-15)


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "a"),
        ("spec:\n  gpu: {type: A10,\n        type: L4}\n", 3, "type"),
        ('a: 1\n"a": 2\n', 2, "a"),
        ("on: 1\ntrue: 2\n", 2, "true"),
    ],
)
def test_a_key_given_twice_is_named_with_its_line(text: str, line: int, key: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        load_yaml(text)
    assert str(caught.value) == f"line {line}: key '{key}' is given twice"


def test_the_same_key_in_different_places_is_no_duplicate() -> None:
    assert load_yaml("{a: {b: 1}, c: {b: 1}}") == {"a": {"b": 1}, "c": {"b": 1}}


def test_an_alias_stands_for_what_it_names() -> None:
    assert load_yaml("a: &x {b: [1]}\nc: *x\n") == {"a": {"b": [1]}, "c": {"b": [1]}}


def _laughs(width: int) -> str:
    """Ten levels, each naming the one before so many times."""
    levels = ["a0: &a0 [lol, lol, lol]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, 10)]
    return "\n".join(levels)


HOSTILE = {
    "billion laughs": (_laughs(9), "more than 10 aliases"),
    "laughs by twos": (_laughs(2), "more than 10 aliases"),
    "an alias inside itself": ("spec: &s {gpu: *s}", r"\*s stands for what it lies in"),
    "an alias of nothing": ("a: *b", "undefined alias"),
    "deep lists": ("[" * 200_000 + "]" * 200_000, "nested deeper than 100 levels"),
    "deep lists, unclosed": ("[" * 200_000, "nested deeper than 100 levels"),
    "deep maps": ("{a: " * 200_000, "nested deeper than 100 levels"),
    "deep blocks": ("- " * 200_000 + "x", "nested deeper than 100 levels"),
    "a python object": ('a: !!python/object/apply:os.system ["true"]', "python/object"),
    "a python name": ("a: !!python/name:os.system", "python/name"),
    "a tag of one's own": ("a: !secret b", "!secret"),
    "bytes": ("a: !!binary aGk=", "binary"),
    "a date by tag": ("a: !!timestamp 2024-01-01", "timestamp"),
    "a set": ("a: !!set {b}", "set"),
    "no integer": ("a: !!int b", "!!int"),
    "an empty integer": ('a: !!int ""', "!!int"),
    "not a float": ("a: !!float nan", "!!float"),
    "no boolean": ("a: !!bool maybe", "!!bool"),
    "a scalar as a map": ("a: !!map b", "expected"),
    "a list as a key": ("? [a]\n: b", "a key must be a word"),
    "null as a key": ("{null: a}", "a key must be a word"),
    "two documents": ("a: 1\n---\nb: 2\n", "line 2: .*another document"),
    "an unclosed list": ("a: [1, 2", "not YAML"),
    "a tab": ("a:\n\tb: 1", "line 2: not YAML"),
    "two colons": ("a: b: c", "line 1: not YAML"),
    "a NUL": ("a: \x00", "control characters"),
    "a lone surrogate": ("a: \udcff", "UTF-8"),
    "an escaped surrogate": ('a: "\\ud800"', "not YAML"),
}


@pytest.mark.parametrize(("text", "message"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_job_file_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InvalidSpec, match=message) as caught:
        load_yaml(text)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


@given(st.text(alphabet="ab01:-[]{}&*!'\"#|>,?~ \n.", max_size=40))
@settings(deadline=None, max_examples=200)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        load_yaml(text)
    except InvalidSpec as error:
        assert "\n" not in str(error)  # noqa: PT017  (either outcome will do)
