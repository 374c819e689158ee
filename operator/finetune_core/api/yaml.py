"""YAML as kubectl reads it.

kubectl turns YAML into JSON with sigs.k8s.io/yaml, whose scalars differ from PyYAML's: ``5e-5`` is a number there, a
date is a string, and so is ``1:30``; ``on``, ``off``, ``yes`` and ``no`` are booleans in both. A key given twice is an
error. ``tests/unit/api/test_yaml.py`` holds what sigs.k8s.io/yaml 1.6.0 answered, scalar by scalar.
"""

import math
import re
from collections.abc import Hashable
from typing import Any

import yaml

from finetune_core.errors import InvalidSpec

_INT = re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*|0)$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_INFINITE = re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$")
_BOOL = re.compile(r"(y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON|n|N|no|No|NO|false|False|FALSE|off|Off|OFF)$")
_TRUE = {"y", "yes", "true", "on"}
_NULL = re.compile(r"(~|null|Null|NULL|)$")


class _Loader(yaml.CSafeLoader):
    """CSafeLoader with kubectl's scalars and no duplicate keys."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key in seen:
                raise InvalidSpec(f"line {key_node.start_mark.line + 1}: key {key!r} is given twice")
            seen.add(key)
        return super().construct_mapping(node, deep)


def _construct_int(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = node.value.replace("_", "").lower()
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.lstrip("+"))
    for prefix, base in (("0b", 2), ("0x", 16), ("0o", 8), ("0", 8)):
        if digits.startswith(prefix) and digits != "0":
            return sign * int(digits.removeprefix(prefix), base)
    return sign * int(digits)


def _construct_float(loader: _Loader, node: yaml.ScalarNode) -> float | int | str:
    number = float(node.value)
    if math.isinf(number):
        return str(node.value)  # too large for a double: kubectl leaves it a string
    return int(number) if number.is_integer() else number


def _refuse_infinite(loader: _Loader, node: yaml.ScalarNode) -> float:
    raise InvalidSpec(f"line {node.start_mark.line + 1}: {node.value} is not a number that JSON can carry")


for _tag, _pattern in (("bool", _BOOL), ("int", _INT), ("float", _FLOAT), ("infinite", _INFINITE), ("null", _NULL)):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, None)
_Loader.add_constructor("tag:yaml.org,2002:bool", lambda loader, node: node.value.lower() in _TRUE)
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _construct_float)
_Loader.add_constructor("tag:yaml.org,2002:infinite", _refuse_infinite)


def load_yaml(text: str) -> Any:
    """One YAML document as kubectl would send it to the API server.

    Raises:
        InvalidSpec: not YAML, a key given twice, or a number that JSON cannot carry.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise InvalidSpec(f"{line}not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise InvalidSpec(f"not YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise InvalidSpec("not a job file: nested too deeply") from error
