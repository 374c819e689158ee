"""The CustomResourceDefinition of FineTuneJob, made from its models: ``ftj crd`` prints it."""

from typing import Any

from finetune_core.api.job import API_VERSION, FineTuneJobSpec
from finetune_core.api.rules import name_rules, spec_rules
from finetune_core.api.status import FineTuneJobStatus
from finetune_core.api.structural import RULES, Schema, structural

GROUP, VERSION = API_VERSION.split("/")
PLURAL = "finetunejobs"

_LIST_KEYS = {"pod.env": "name", "pod.imagePullSecrets": "name"}
_STATUS_LIST_KEYS = {"conditions": "type", "attempts": "number"}
"""Lists whose entries have a name of their own, so that server-side apply can tell them apart."""

_WHOLE = ("dataset.validation", "pod.nodeSelector")
"""Objects that have one owner: mixed from two, they would mean what neither meant."""

_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("Phase", "string", ".status.phase"),
    ("Method", "string", ".status.plan.method"),
    ("GPU", "string", ".spec.gpu.type"),
    ("Progress", "string", ".status.progress.steps"),
    ("Loss", "number", ".status.progress.loss"),
    ("ETA", "string", ".status.progress.eta"),
    ("Age", "date", ".metadata.creationTimestamp"),
)
_WIDE_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("Model", "string", ".spec.model.uri"),
    ("Eval-Loss", "number", ".status.progress.evalLoss"),
    ("Output", "string", ".spec.output.uri"),
    ("Message", "string", '.status.conditions[?(@.type=="Ready")].message'),
)


def crd() -> dict[str, Any]:
    """The CustomResourceDefinition, as ``kubectl apply`` takes it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": "FineTuneJob",
                "listKind": "FineTuneJobList",
                "plural": PLURAL,
                "singular": "finetunejob",
                "shortNames": ["ftj"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": _columns(),
                    "schema": {"openAPIV3Schema": _root()},
                }
            ],
        },
    }


def _columns() -> list[dict[str, Any]]:
    return [
        {"name": name, "type": kind, "jsonPath": path, "priority": priority}
        for priority, columns in enumerate((_COLUMNS, _WIDE_COLUMNS))
        for name, kind, path in columns
    ]


def _root() -> Schema:
    return {
        "description": "One fine-tuning job.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{API_VERSION}."},
            "kind": {"type": "string", "description": "FineTuneJob."},
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
            "spec": _spec(),
            "status": _status(),
        },
        RULES: name_rules(),
    }


def _spec() -> Schema:
    spec = structural(FineTuneJobSpec, tell_defaults=True)
    for path, key in _LIST_KEYS.items():
        _at(spec, path).update(_map_by(key))
    for path in _WHOLE:
        _at(spec, path)["x-kubernetes-map-type"] = "atomic"
    for path, rules in spec_rules(spec).items():
        _at(spec, path)[RULES] = rules
    return spec


def _status() -> Schema:
    status = structural(FineTuneJobStatus, tell_defaults=False)
    for path, key in _STATUS_LIST_KEYS.items():
        _at(status, path).update(_map_by(key))
    return status


def _at(schema: Schema, path: str) -> Schema:
    """The schema of a field; ``[]`` after its name: of the list's entries. An empty path is the schema itself."""
    for part in path.split(".") if path else ():
        schema = schema["properties"][part.removesuffix("[]")]
        if part.endswith("[]"):
            schema = schema["items"]
    return schema


def _map_by(key: str) -> Schema:
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
