"""A pydantic model as the structural schema that a CustomResourceDefinition holds.

It translates the keywords that our models use. Any other is an error: what is silently lost would be a check that the
API server does not make.
"""

import json
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

RULES = "x-kubernetes-validations"
"""Where a schema has its CEL rules."""

_SAME = {
    "type", "format", "enum", "pattern", "required", "minimum", "maximum",
    "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
}  # fmt: skip
"""Keywords that mean the same in both."""

_TRANSLATED = {
    "description", "properties", "items", "additionalProperties", "propertyNames", "const",
    "exclusiveMinimum", "exclusiveMaximum",
}  # fmt: skip

_LEFT_OUT = {"title", "default"}
"""A title repeats the name. A default would be stored in every object, and stay there when the operator's changes."""

_INT32_MAX = 2**31 - 1


def structural(model: type[BaseModel], *, tell_defaults: bool) -> Schema:
    """The schema of a model. ``tell_defaults``: descriptions end with the default, where it is a single value."""
    schema = model.model_json_schema(by_alias=True)
    return _translate(schema, schema.get("$defs", {}), tell_defaults)


def _translate(schema: Schema, definitions: Schema, tell_defaults: bool) -> Schema:
    schema = _flat(schema, definitions)
    if unknown := schema.keys() - _SAME - _TRANSLATED - _LEFT_OUT - {"$defs"}:
        raise ValueError(f"no way to say {sorted(unknown)} in a structural schema: {schema}")

    made: Schema = {}
    if "description" in schema:
        made["description"] = _describe(schema, tell_defaults)
    made |= {keyword: value for keyword, value in schema.items() if keyword in _SAME}
    if "const" in schema:
        made["enum"] = [schema["const"]]
    for exclusive, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in schema:
            made |= {limit: schema[exclusive], exclusive: True}
    if schema["type"] == "integer" and schema.get("maximum", _INT32_MAX + 1) > _INT32_MAX:
        made["format"] = "int64"
    if schema["type"] == "array":
        made["items"] = _translate(schema["items"], definitions, tell_defaults)
        made["x-kubernetes-list-type"] = "atomic"
    if "properties" in schema:
        made["properties"] = {
            name: _translate(field, definitions, tell_defaults) for name, field in schema["properties"].items()
        }
    if isinstance(schema.get("additionalProperties"), dict):  # false is what the API server does by itself
        made["additionalProperties"] = _translate(schema["additionalProperties"], definitions, tell_defaults)
    if "propertyNames" in schema:
        made |= _keys(schema["propertyNames"])
    return made


def _flat(schema: Schema, definitions: Schema) -> Schema:
    """Without references, null and unions: a structural schema knows none of them.

    A union of objects becomes one object with the fields of all; a rule has to say which go together.
    """
    beside = {keyword: value for keyword, value in schema.items() if keyword not in ("$ref", "anyOf", "oneOf")}
    if "$ref" in schema:
        return _flat(definitions[schema["$ref"].removeprefix("#/$defs/")] | beside, definitions)
    if "anyOf" in schema:
        (only,) = (member for member in schema["anyOf"] if member != {"type": "null"})
        return _flat(only | beside, definitions)
    if "oneOf" in schema:
        members = [_flat(member, definitions) for member in schema["oneOf"]]
        fields = {name: field for member in members for name, field in member["properties"].items()}
        return {"type": "object", "properties": fields} | beside
    return schema


def _describe(schema: Schema, tell_default: bool) -> str:
    """The description in one line, without the marks of a docstring."""
    text = " ".join(schema["description"].replace("``", "").split())
    default = schema.get("default")
    if not tell_default or default is None or default == "" or isinstance(default, list | dict):
        return text
    return f"{text} Default: {default if isinstance(default, str) else json.dumps(default)}."


def _keys(names: Schema) -> Schema:
    """Limits on the keys of a map, which take rules."""
    if "enum" in names:
        return {
            "maxProperties": len(names["enum"]),
            RULES: [
                {
                    "rule": f"self.all(key, key in {json.dumps(names['enum'])})",
                    "message": f"use only these keys: {', '.join(names['enum'])}",
                }
            ],
        }
    if names.keys() == {"maxLength"}:
        longest = names["maxLength"]
        return {
            RULES: [
                {
                    "rule": f"self.all(key, size(key) <= {longest})",
                    "message": f"shorten the longest key: at most {longest} characters are allowed",
                }
            ]
        }
    raise ValueError(f"no rule for keys like {names}")
