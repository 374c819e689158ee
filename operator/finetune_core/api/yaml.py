"""YAML as kubectl reads it.

kubectl turns YAML into JSON with sigs.k8s.io/yaml, whose scalars differ from PyYAML's: ``5e-5`` is a number there, a
date is a string, and so is ``1:30``; ``on``, ``off``, ``yes`` and ``no`` are booleans in both. Every key becomes a
string, and one given twice is an error. ``tests/unit/api/test_yaml.py`` holds what sigs.k8s.io/yaml 1.6.0 answered,
scalar by scalar. Stricter than there: nesting and aliases have small limits, and tags are those of JSON's types.
"""

import math
import re
from collections.abc import Callable, Hashable
from typing import Any

import yaml

from finetune_core.errors import InvalidSpec

_INT = re.compile(
    r"[-+]?(0[bB]_*[01][01_]*|0[oO]_*[0-7][0-7_]*|0[xX]_*[0-9a-fA-F][0-9a-fA-F_]*|0[0-7_]*|[1-9][0-9_]*)$"
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?_*[0-9][0-9_]*)?$")
_INFINITE = re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$")
_BOOL = re.compile(r"(y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON|n|N|no|No|NO|false|False|FALSE|off|Off|OFF)$")
_TRUE = {"y", "yes", "true", "on"}
_NULL = re.compile(r"(~|null|Null|NULL|)$")

_LONGEST_INT = 309
"""Digits; a longer number is too large for a double as well, and kubectl leaves it a string."""
_DEEPEST = 100
"""Levels of nesting; the C parser overflows its stack at some ten thousand."""
_MOST_ALIASES = 10
"""So many can make a text about forty times as large, and no larger."""


class _Loader(yaml.CSafeLoader):
    """CSafeLoader with kubectl's scalars and keys."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012
    yaml_constructors = {  # noqa: RUF012
        tag: yaml.CSafeLoader.yaml_constructors[tag]
        for tag in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map", None)
    }

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Hashable, Any]:
        mapping: dict[Hashable, Any] = {}
        if not isinstance(node, yaml.MappingNode):
            raise _invalid(node, "not YAML: expected fields")
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key in mapping:
                raise _invalid(key_node, f"key {key!r} is given twice")
            mapping[key] = self.construct_object(value_node, deep=deep)
        return mapping

    def _key(self, node: yaml.Node) -> str:
        key = self.construct_object(node) if isinstance(node, yaml.ScalarNode) else None
        if key is None:
            raise _invalid(node, "not a job file: a key must be a word")
        return str(key).lower() if isinstance(key, bool) else str(key)


def _invalid(where: yaml.Node | yaml.Event, problem: str) -> InvalidSpec:
    line = f"line {where.start_mark.line + 1}: " if where.start_mark else ""
    return InvalidSpec(line + problem)


def _construct_int(node: yaml.ScalarNode) -> int | str:
    text = node.value.replace("_", "").lower()
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.lstrip("+"))
    if len(digits) > _LONGEST_INT:
        return str(node.value)
    for prefix, base in (("0b", 2), ("0x", 16), ("0o", 8), ("0", 8)):
        if digits.startswith(prefix) and digits != "0":
            return sign * int(digits.removeprefix(prefix), base)
    return sign * int(digits)


def _construct_float(node: yaml.ScalarNode) -> float | int | str:
    number = float(node.value.replace("_", ""))
    if math.isinf(number):
        return str(node.value)  # too large for a double: kubectl leaves it a string
    return int(number) if number.is_integer() else number


def _refuse_infinite(node: yaml.ScalarNode) -> float:
    raise _invalid(node, f"{node.value} is not a number that JSON can carry")


def _add(name: str, pattern: re.Pattern[str], construct: Callable[[yaml.ScalarNode], Any]) -> None:
    """Read plain scalars of that pattern as ``name``; an explicit tag (``!!int x``) must keep to the pattern too."""

    def checked(loader: _Loader, node: yaml.Node) -> Any:
        if not isinstance(node, yaml.ScalarNode) or not pattern.match(node.value):
            raise _invalid(node, f"not YAML: !!{name} on what is none")
        return construct(node)

    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{name}", pattern, None)
    _Loader.add_constructor(f"tag:yaml.org,2002:{name}", checked)


_add("bool", _BOOL, lambda node: node.value.lower() in _TRUE)
_add("int", _INT, _construct_int)
_add("float", _FLOAT, _construct_float)
_add("infinite", _INFINITE, _refuse_infinite)
_add("null", _NULL, lambda node: None)


def load_yaml(text: str) -> Any:
    """One YAML document as kubectl would send it to the API server.

    Raises:
        InvalidSpec: not YAML, a key given twice, a number that JSON cannot carry, or nested or entangled beyond reason.
    """
    try:
        _refuse_bombs(text)
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise InvalidSpec(f"{line}not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise InvalidSpec(f"not YAML: {str(error).splitlines()[0]}") from error
    except UnicodeEncodeError as error:
        raise InvalidSpec("not YAML: not a text in UTF-8") from error


def _refuse_bombs(text: str) -> None:
    """Look for what grows out of a small text, event by event, before anything is built of it."""
    open_anchors: list[str | None] = []
    aliases = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_anchors.append(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            open_anchors.pop()
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
            if event.anchor in open_anchors:
                raise _invalid(event, f"not a job file: *{event.anchor} stands for what it lies in")
        if len(open_anchors) > _DEEPEST:
            raise _invalid(event, f"not a job file: nested deeper than {_DEEPEST} levels")
        if aliases > _MOST_ALIASES:
            raise _invalid(event, f"not a job file: more than {_MOST_ALIASES} aliases")
