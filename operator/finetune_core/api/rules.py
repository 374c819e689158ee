"""What the API server checks beyond types and limits: rules in CEL, the counterparts of our models' validators."""

from finetune_core.api.job import ALL_LINEAR, LONGEST_NAME, Metadata
from finetune_core.api.structural import Schema

Rule = dict[str, str]

MUTABLE = ("suspend", "ttlSecondsAfterFinished")
"""Fields of the spec that may be changed after the job was created."""

_LOCATIONS = ("model", "output")
_DATA_LOCATIONS = ("dataset", "dataset.validation")

_SHAPES = {
    "hf": "[^/]+/[^/]+",
    "s3": "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/|$)",
    "pvc": "[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?(/|$)",
}
"""Scheme of a location that a cluster knows -> how the rest begins: an organisation and a name, a bucket, a claim."""
_DATA_SHAPES = _SHAPES | {
    "https": "[^/@?#]+/",
    "configmap": "[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/[-._a-zA-Z0-9]+$",
}
"""The same for a dataset, which may also be a file of a web server or a key of a ConfigMap."""

_FORMS = "hf://org/name, s3://bucket/prefix or pvc://claim/path"
_DATA_FORMS = "hf://datasets/org/name, s3://bucket/key, https://host/path, pvc://claim/path or configmap://name/key"


def name_rules() -> list[Rule]:
    """For the root: children append to the job's name and carry it as a label, which is shorter than a name may be."""
    pattern = Metadata.model_json_schema()["properties"]["name"]["pattern"]
    return [
        {
            "rule": f"size(self.metadata.name) <= {LONGEST_NAME}",
            "message": f"shorten the name to {LONGEST_NAME} characters: children append to it",
            "fieldPath": ".metadata.name",
        },
        {
            "rule": f"self.metadata.name.matches('{pattern}')",
            "message": "use lower-case letters, digits and - only: children's names are made of it",
            "fieldPath": ".metadata.name",
        },
    ]


def spec_rules(spec: Schema) -> dict[str, list[Rule]]:
    """Rules by the path of the field, below the spec, that they are for."""
    required = spec["required"]
    rules = {f"{path}.uri": _uri_rules(_SHAPES, _FORMS) for path in _LOCATIONS}
    rules |= {f"{path}.uri": _uri_rules(_DATA_SHAPES, _DATA_FORMS) for path in _DATA_LOCATIONS}
    rules["dataset"] = [_checksum_rule("self.uri.startsWith('https:')")]
    rules["output.uri"].append(
        {
            "rule": "!self.startsWith('hf:')",
            "message": "the hub cannot be written to: write s3://bucket/prefix or pvc://claim/path",
        }
    )
    rules["output.push"] = [
        {
            "rule": "self.matches('^hf://[^/]+/[^/]+$') && !self.startsWith('hf://datasets/')",
            "message": "a result is pushed to a model repository of the hub: write hf://org/name",
        }
    ]
    rules["dataset.validation"] = [
        {
            "rule": (
                "has(self.uri) ? !has(self.fraction) : "
                "has(self.fraction) && !has(self.secretName) && !has(self.endpointURL) && !has(self.region) && "
                "!has(self.sha256)"
            ),
            "message": "give either fraction, or uri and what goes with it",
        },
        _checksum_rule("has(self.uri) && self.uri.startsWith('https:')"),
    ]
    rules["hyperparameters"] = _batch_size_rules()
    rules["hyperparameters.lora.targetModules"] = [
        {
            "rule": f"size(self) == 1 || !('{ALL_LINEAR}' in self)",
            "message": f"{ALL_LINEAR} stands alone: write [{ALL_LINEAR}], or name linears",
        }
    ]
    rules["pod.env[].name"] = [
        {
            "rule": "!self.startsWith('FINETUNE_')",
            "message": "choose another name: those that begin with FINETUNE_ are the trainer's own",
        }
    ]
    rules[""] = [
        _batch_size_rule(),
        *(_unchanged(field, field in required) for field in spec["properties"] if field not in MUTABLE),
    ]
    return rules


def _unchanged(field: str, required: bool) -> Rule:
    """To add or to remove an optional field is a change as well."""
    same = f"self.{field} == oldSelf.{field}"
    return {
        "rule": same if required else f"has(self.{field}) ? has(oldSelf.{field}) && {same} : !has(oldSelf.{field})",
        "message": f"spec.{field} cannot be changed: delete the job and create it again",
        "fieldPath": f".{field}",
        "reason": "FieldValueForbidden",
    }


def _checksum_rule(over_https: str) -> Rule:
    """As ``DataLocation._checksum_over_https``."""
    return {
        "rule": f"!({over_https}) || has(self.sha256)",
        "message": "https needs sha256 beside the uri: write what sha256sum says of the file",
    }


def _uri_rules(shapes: dict[str, str], forms: str) -> list[Rule]:
    matched = "|".join(f"{scheme}://{rest}" for scheme, rest in shapes.items())
    return [
        {
            "rule": "!self.startsWith('file:')",
            "message": f"file: is for ftj run on one machine: a cluster takes {forms}",
        },
        {
            "rule": f"self.startsWith('file:') || self.matches('^({matched})')",
            "message": f"write {forms}",
        },
        {
            "rule": "!self.matches('/[.][.](/|$)|^s3://[^/]*[.][.]')",
            "message": "write the location without ..",
        },
    ]


_BATCH_SIZES = ("effectiveBatchSize", "microBatchSize", "gradientAccumulationSteps")


def _batch_size_rule() -> Rule:
    """As ``FineTuneJobSpec._batch_sizes_agree``."""
    batch, micro, accumulation = (f"self.hyperparameters.{name}" for name in _BATCH_SIZES)
    given = " && ".join(["has(self.hyperparameters)", *(f"has({one})" for one in (batch, micro, accumulation))])
    gpus = " * ".join(f"(has({one}) ? {one} : 1)" for one in ("self.gpu.perNode", "self.gpu.nodes"))
    return {
        # Divided, since the product of all four may be more than an integer of CEL holds.
        "rule": (
            f"!({given}) || {micro} < 1 || {batch} % {micro} == 0 && {batch} / {micro} == {accumulation} * {gpus}"
        ),
        "message": "not microBatchSize x gradientAccumulationSteps x GPUs: give two of the three",
        "fieldPath": ".hyperparameters.effectiveBatchSize",
    }


def _batch_size_rules() -> list[Rule]:
    """As ``Hyperparameters._batch_sizes_agree``."""
    batch, micro, accumulation = (f"self.{name}" for name in _BATCH_SIZES)
    return [
        {
            # The limits are no reason for the API server to skip the rule: it would divide by zero.
            "rule": f"!has({batch}) || !has({one}) || has({other}) || {one} < 1 || {batch} % {one} == 0",
            "message": f"not a multiple of {one.removeprefix('self.')}: change one of them",
            "fieldPath": ".effectiveBatchSize",
        }
        for one, other in ((micro, accumulation), (accumulation, micro))
    ]
