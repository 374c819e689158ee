"""The CRD says all that the models say; that the API server takes it is for ``test_crd_admission.py``."""

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from command import ftj
from pydantic import Field

from finetune_core.api.base import ApiModel
from finetune_core.api.crd import crd
from finetune_core.api.structural import RULES, Schema, structural
from finetune_core.api.yaml import load_yaml

FILE = Path(__file__).parents[3] / "crds" / "finetunejobs.yaml"

ROOT: Schema = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
KEYWORDS = {
    "type", "format", "description", "enum", "pattern", "required", "properties", "items", "additionalProperties",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems",
    "minProperties", "maxProperties", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type",
    RULES,
}  # fmt: skip


def walk(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Every schema with its path; ``[]`` is a list's entry, ``{}`` a map's value."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from walk(field, f"{path}.{name}")
    for inner, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if inner in schema:
            yield from walk(schema[inner], path + mark)


SPEC = dict(walk(ROOT["properties"]["spec"], "spec"))
STATUS = dict(walk(ROOT["properties"]["status"], "status"))


def test_the_file_is_what_the_command_prints(tmp_path: Path) -> None:
    printed = ftj(tmp_path, "crd")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert FILE.read_text(encoding="utf-8") == printed.stdout, "write: ftj crd > crds/finetunejobs.yaml"


def test_kubectl_reads_the_file_as_it_was_meant() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert text.startswith("# Generated from ")
    assert load_yaml(text) == crd()


def test_it_is_made_only_when_asked_for() -> None:
    code = "import sys, finetune_core.api; print('finetune_core.api.crd' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_columns_show_fields_that_exist() -> None:
    for column in crd()["spec"]["versions"][0]["additionalPrinterColumns"]:
        path = column["jsonPath"].removeprefix(".").replace('[?(@.type=="Ready")]', "[]")
        assert path in SPEC or path in STATUS or path == "metadata.creationTimestamp", column
    assert "Ready" in STATUS["status.conditions[].type"]["enum"]


class TestTheSchema:
    def test_has_only_keywords_of_a_structural_schema(self) -> None:
        for path, schema in (SPEC | STATUS).items():
            assert schema.keys() <= KEYWORDS, path
            assert schema.get("additionalProperties") is not False, path
            assert re.search(r"\(\?[=!<]|\\[1-9]", schema.get("pattern", "")) is None, "RE2 knows no such expression"

    def test_describes_every_field_in_sentences(self) -> None:
        fields = {path: schema for path, schema in (SPEC | STATUS).items() if not path.endswith(("[]", "{}"))}
        assert [path for path, schema in fields.items() if not schema.get("description", "").endswith(".")] == []
        assert [path for path, schema in fields.items() if re.search(r"``|\n", schema["description"])] == []

    def test_tells_the_defaults_of_the_spec(self) -> None:
        assert SPEC["spec.checkpoints.everySteps"]["description"] == "Save every so many optimizer steps. Default: 100."
        assert SPEC["spec.method"]["description"].endswith("Default: auto.")
        assert SPEC["spec.suspend"]["description"].endswith("Default: false.")
        assert [path for path, schema in STATUS.items() if "Default:" in schema.get("description", "")] == []

    def test_sets_no_default(self) -> None:
        assert [path for path, schema in (SPEC | STATUS).items() if "default" in schema] == []

    def test_limits_every_string_list_and_map_of_the_spec(self) -> None:
        unlimited = [
            path
            for path, schema in SPEC.items()
            if (schema["type"] == "string" and not {"enum", "maxLength"} & schema.keys())
            or (schema["type"] == "array" and "maxItems" not in schema)
            or ("additionalProperties" in schema and "maxProperties" not in schema)
        ]
        assert unlimited == []

    def test_names_the_kind_of_every_list(self) -> None:
        keys = {
            path: schema.get("x-kubernetes-list-map-keys")
            for path, schema in (SPEC | STATUS).items()
            if schema["type"] == "array" and schema["x-kubernetes-list-type"] != "atomic"
        }
        assert keys == {
            "spec.pod.env": ["name"],
            "spec.pod.imagePullSecrets": ["name"],
            "status.conditions": ["type"],
            "status.attempts": ["number"],
        }

    def test_has_a_clear_message_with_every_rule(self) -> None:
        rules = [rule for schema in [ROOT, *SPEC.values()] for rule in schema.get(RULES, [])]
        # The longest names every check, which is what somebody who mistyped one looks for.
        assert all(0 < len(rule["message"]) < 500 for rule in rules)
        assert not any(RULES in schema for schema in STATUS.values()), "the operator checks its own status"

    def test_guards_every_field_of_the_spec_but_two(self) -> None:
        guarded = {rule["fieldPath"].removeprefix(".") for rule in SPEC["spec"][RULES]}
        assert SPEC["spec"]["properties"].keys() - guarded == {"suspend", "ttlSecondsAfterFinished"}


class Part(ApiModel):
    """A part.

    More of it.
    """

    name: str = Field(max_length=8, description="Its name.")


class Whole(ApiModel):
    """A whole."""

    a_part: Part = Field(default=Part(name="x"), description="``ftj`` knows it.")
    ordinary_part: Part
    maybe_part: Part | None = None
    parts: list[Part] = Field(default_factory=list, max_length=4)
    maybe: Annotated[str, Field(max_length=5, pattern="^a")] | None = Field(default=None, description="Perhaps.")
    one: Literal["only"] = "only"
    some: Literal["b", "a"] = Field(default="a", description="Some.")
    between: Annotated[float, Field(gt=0, lt=1)] = Field(default=0.5, description="Between.")
    small: Annotated[int, Field(ge=1, le=9)] = 1
    large: int = 1
    when: datetime | None = None
    by_name: dict[Literal["b", "a"], bool] = Field(default_factory=dict)
    by_any: dict[Annotated[str, Field(max_length=3)], bool] = Field(default_factory=dict, max_length=2)


class TestAModelIsTranslated:
    whole = structural(Whole, tell_defaults=True)

    @pytest.mark.parametrize(
        ("field", "schema"),
        [
            ("ordinaryPart", {"type": "object", "description": "A part. More of it.", "required": ["name"]}),
            ("aPart", {"type": "object", "description": "ftj knows it.", "required": ["name"]}),
            ("maybePart", {"type": "object", "description": "A part. More of it.", "required": ["name"]}),
            ("maybe", {"type": "string", "maxLength": 5, "pattern": "^a", "description": "Perhaps."}),
            ("one", {"type": "string", "enum": ["only"]}),
            ("some", {"type": "string", "enum": ["b", "a"], "description": "Some. Default: a."}),
            (
                "between",
                {
                    "type": "number", "minimum": 0.0, "exclusiveMinimum": True, "maximum": 1.0,
                    "exclusiveMaximum": True, "description": "Between. Default: 0.5.",
                },
            ),
            ("small", {"type": "integer", "minimum": 1, "maximum": 9}),
            ("large", {"type": "integer", "format": "int64"}),
            ("when", {"type": "string", "format": "date-time"}),
            (
                "byName",
                {
                    "type": "object", "maxProperties": 2,
                    RULES: [{"rule": 'self.all(key, key in ["b", "a"])', "message": "use only these keys: b, a"}],
                },
            ),
            (
                "byAny",
                {
                    "type": "object", "maxProperties": 2,
                    RULES: [
                        {
                            "rule": "self.all(key, size(key) <= 3)",
                            "message": "shorten the longest key: at most 3 characters are allowed",
                        }
                    ],
                },
            ),
        ],
    )  # fmt: skip
    def test_field_by_field(self, field: str, schema: Schema) -> None:
        made = self.whole["properties"][field]
        assert {key: made[key] for key in made if key not in ("properties", "additionalProperties")} == schema

    def test_with_what_lies_below(self) -> None:
        name = {"name": {"type": "string", "maxLength": 8, "description": "Its name."}}
        fields = self.whole["properties"]
        assert [fields[part]["properties"] for part in ("aPart", "ordinaryPart", "maybePart")] == [name] * 3
        assert fields["parts"]["items"]["properties"] == name
        assert fields["byName"]["additionalProperties"] == {"type": "boolean"}

    @pytest.mark.parametrize(
        "kind",
        [Annotated[int, Field(multiple_of=3)], dict[Annotated[str, Field(pattern="^a")], bool], str | int],
        ids=["a keyword", "limits of keys", "a union of values"],
    )
    def test_what_cannot_be_said_is_not_lost_in_silence(self, kind: Any) -> None:
        odd = type("Odd", (ApiModel,), {"__annotations__": {"field": kind}})
        with pytest.raises(ValueError, match=r"no way|no rule|too many"):
            structural(odd, tell_defaults=True)
