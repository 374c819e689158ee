"""A job file to a FineTuneJob, with one clear line for each thing that is wrong in it."""

import difflib
import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin
from urllib.parse import quote

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from finetune_core.api.job import API_VERSION, KIND, FineTuneJob, FineTuneJobSpec
from finetune_core.api.location import public_uri
from finetune_core.api.yaml import load_yaml
from finetune_core.errors import InvalidSpec


def read_job(text: str, overrides: list[str] | None = None, base: str | None = None) -> FineTuneJob:
    """Read a job from YAML.

    Args:
        text: the YAML of one FineTuneJob.
        overrides: ``path=value`` each, the path as in ``gpu.type`` (inside ``spec``), the value as YAML.
        base: folder that relative ``file:`` locations are relative to; without it they are refused.

    Raises:
        InvalidSpec: every problem found, one to a line.
    """
    document = load_yaml(text)
    if not isinstance(document, dict):
        raise InvalidSpec("not a FineTuneJob: expected apiVersion, kind, metadata and spec")
    for override in overrides or []:
        _override(document, override)
    if base is not None:
        _make_absolute(document.get("spec"), base)
    try:
        return FineTuneJob.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        raise InvalidSpec("\n".join(_explain(error))) from error


def read_spec(spec: Any) -> FineTuneJobSpec:
    """Read the spec of a job that an API server has let in.

    Raises:
        InvalidSpec: every problem found, in one line.
    """
    document = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "of-the-cluster"}, "spec": spec}
    try:
        return FineTuneJob.model_validate(document, by_alias=True, by_name=False).spec
    except ValidationError as error:
        raise InvalidSpec("; ".join(_explain(error))) from error


def _override(document: dict[str, Any], override: str) -> None:
    path, equals, value = override.partition("=")
    keys = path.removeprefix("spec.").split(".")
    if not equals or not all(keys):
        raise InvalidSpec(f"--set {override!r}: write path=value, as in gpu.type=A10")
    place = document.setdefault("spec", {})
    if not isinstance(place, dict):
        return  # what is wrong with the spec is said when it is read
    for key in keys[:-1]:
        place = place.setdefault(key, {}) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        raise InvalidSpec(f"--set {override!r}: {'.'.join(keys[:-1])} has no fields")
    try:
        place[keys[-1]] = load_yaml(value)
    except InvalidSpec as error:
        raise InvalidSpec(f"--set {override!r}: {error}") from error


def _make_absolute(spec: Any, base: str) -> None:
    """``file:data.jsonl`` means the file beside the job file, so that a folder can be moved or cloned as a whole."""
    if not isinstance(spec, dict):
        return
    for value in spec.values():
        _make_absolute(value, base)
    uri = spec.get("uri")
    if isinstance(uri, str) and uri.startswith("file:") and not uri.startswith("file:/"):
        spec["uri"] = f"file://{quote(base)}/{uri.removeprefix('file:').removeprefix('./')}"


def _explain(error: ValidationError) -> Iterator[str]:
    # A union reports one error per member: the first says enough.
    seen = set()
    for details in error.errors():
        path = _field_path(details["loc"])
        if path not in seen:
            seen.add(path)
            yield _explain_one(path, details)


def _explain_one(path: str, details: ErrorDetails) -> str:
    given = details["input"]
    match details["type"]:
        case "extra_forbidden":
            return f"{path}: unknown field{_nearest(details['loc'])}"
        case "missing":
            return f"{path}: required, but not given"
        case "string_type" | "int_type" | "float_type" | "list_type" | "literal_error" if isinstance(given, bool):
            return (
                f"{path}: {str(given).lower()} is a boolean, which does not fit here ({details['msg'].lower()}); "
                "unquoted on, off, yes and no are booleans in Kubernetes YAML"
            )
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{path}: {_shorten(given)}: expected fields of its own, not a single value"
        case "value_error":
            return f"{path}: {details['msg'].removeprefix('Value error, ')}"
        case _:
            return f"{path}: {_shorten(given)}: {details['msg'][0].lower()}{details['msg'][1:]}"


_UNION_MEMBERS = {"a-fraction", "a-location", "[key]"}
"""Labels that pydantic puts into a path for the member of a union that it tried."""


def _shorten(value: Any) -> str:
    text = "null" if value is None else repr(public_uri(value) if isinstance(value, str) else value)
    return text if len(text) <= 80 else text[:77] + "..."


def _field_path(location: tuple[int | str, ...]) -> str:
    """The path as the person wrote it: pydantic's names for union members are left out."""
    path = ""
    kind: Any = FineTuneJob
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
            continue
        if part in _UNION_MEMBERS or part.startswith("literal["):
            continue
        name = part if part.isprintable() else repr(part)
        path += f".{name}" if path else name
        kind = _fields(kind).get(part)
    return path


def _fields(annotation: Any) -> dict[str, Any]:
    """Names of the fields below an annotation, with their annotations; a union has those of all its members."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {field.alias or name: field.annotation for name, field in annotation.model_fields.items()}
    if get_origin(annotation) is Annotated:
        return _fields(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return {name: kind for member in get_args(annotation) for name, kind in _fields(member).items()}
    return {}


def _nearest(location: tuple[int | str, ...]) -> str:
    """``; did you mean learningRate?``, or the fields there are."""
    kind: Any = FineTuneJob
    for part in location[:-1]:
        fields = _fields(kind)
        kind = fields.get(str(part), kind) if fields else kind
    known = list(_fields(kind))
    lowered = {name.lower(): name for name in known}
    close = difflib.get_close_matches(str(location[-1]).replace("_", "").lower(), lowered, n=1, cutoff=0.7)
    return f"; did you mean {lowered[close[0]]}?" if close else f"; known here: {', '.join(sorted(known))}"
