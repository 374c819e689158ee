"""The CRD on a real API server: it takes what ``ftj`` takes, refuses the rest with a clear line, and loses nothing."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from control_plane import ControlPlane, Json, wait_for
from finetune_core.api import read_job
from finetune_core.api.crd import crd
from finetune_core.api.status import FineTuneJobStatus
from finetune_core.api.yaml import load_yaml
from finetune_core.errors import InvalidSpec

ROOT = Path(__file__).parents[2]
JOBS = "/apis/finetune.dev/v1alpha1/namespaces/{}/finetunejobs"
DRY = "?dryRun=All&fieldValidation=Strict"
SPEC = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]

MINIMAL: Json = {
    "apiVersion": "finetune.dev/v1alpha1",
    "kind": "FineTuneJob",
    "metadata": {"name": "support-bot"},
    "spec": {
        "model": {"uri": "hf://Qwen/Qwen2.5-7B-Instruct"},
        "dataset": {"uri": "s3://datasets/support.jsonl"},
        "gpu": {"type": "A10"},
        "output": {"uri": "pvc://models/support-bot"},
    },
}

S3 = {"secretName": "bucket.key", "endpointURL": "https://s3.example.com:9000", "region": "eu-central-1"}
EVERY_FIELD: Json = MINIMAL | {
    "metadata": {"name": "a" * 45},
    "spec": {
        "model": {"uri": "hf://Qwen/Qwen2.5-7B-Instruct@main", **S3},
        "dataset": {
            "uri": "hf://datasets/org/name@v1/data/train.jsonl",
            **S3,
            "sha256": "0123456789abcdef" * 4,
            "format": "alpaca",
            "columns": {"instruction": "问题", "output": "回答"},
            "task": "style",
            "maxRows": 100,
            "validation": {"uri": "https://data.example.com:8443/held-out.jsonl?a=b", **S3, "sha256": "0" * 64},
            "quality": {"empty-output": "warn", "over-length": "ignore"},
            "thresholds": {"near-duplicate": 0.9},
        },
        "gpu": {"type": "A100-80GB", "perNode": 2, "nodes": 2},
        "output": {
            "uri": "s3://models/support-bot",
            **S3,
            "export": "both",
            "overwrite": True,
            "push": "hf://org/support-bot@v1",
        },
        "method": "qlora",
        "hyperparameters": {
            "preset": "recent",
            "epochs": 2.5,
            "maxSteps": 2**31 - 1,
            "learningRate": 5e-5,
            "lrScheduler": "cosine",
            "warmupRatio": 0.03,
            "weightDecay": 0,
            "maxGradNorm": 1,
            "seed": 2**31 - 1,
            "effectiveBatchSize": 16,
            "microBatchSize": 2,
            "gradientAccumulationSteps": 2,
            "cutoffLength": 2**20,
            "packing": True,
            "precision": "bf16",
            "masterWeights": "none",
            "optimizer": "adamw-8bit",
            "activationCheckpointing": False,
            "trainOnPrompt": True,
            "loggingSteps": 1,
            "lora": {"rank": 16, "alpha": 32, "dropout": 0.05, "targetModules": ["q_proj", "v_proj"]},
            "quantization": {"type": "nf4", "doubleQuantization": True},
        },
        "evaluation": {
            "everySteps": 50,
            "earlyStoppingPatience": 0,
            "minDelta": 0.001,
            "samples": {"count": 0, "prompts": ["你好", "Hello\nthere"], "maxNewTokens": 64},
        },
        "checkpoints": {"everySteps": 10, "everySeconds": 600, "keep": 2, "keepAfterSuccess": True},
        "budget": {"maxCost": 20.5, "maxDurationSeconds": 14400},
        "failurePolicy": {
            "maxRetries": 0,
            "maxDisruptions": 0,
            "onOutOfMemory": "fail",
            "pendingDeadlineSeconds": 60,
            "noProgressSeconds": 60,
        },
        "suspend": True,
        "ttlSecondsAfterFinished": 0,
        "priorityClassName": "low",
        "pod": {
            "image": "registry.example.com/trainer:1",
            "imagePullSecrets": [{"name": "a"}, {"name": "b"}],
            "serviceAccountName": "trainer",
            "nodeSelector": {"example.com/pool": "gpu"},
            "tolerations": [
                {"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute", "tolerationSeconds": 5},
                {"operator": "Exists"},
            ],
            "env": [{"name": "B", "value": "1"}, {"name": "A"}],
            "labels": {"example.com/team": "support"},
            "annotations": {"note": "any text"},
            "runtimeClassName": "nvidia",
        },
    },
}


def changed(job: Json, changes: Json) -> Json:
    """The job with other values; a key is a path below the spec, or ``metadata.name``. ``...`` takes a field away."""
    job = deepcopy(job)
    for path, value in changes.items():
        place = job if path.startswith("metadata.") else job["spec"]
        *parents, last = path.split(".")
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return job


MODEL_FORMS = "hf://org/name, s3://bucket/prefix or pvc://claim/path"
DATA_FORMS = "hf://datasets/org/name, s3://bucket/key, https://host/path, pvc://claim/path or configmap://name/key"
FORMS = {"model": MODEL_FORMS, "dataset": DATA_FORMS, "dataset.validation": DATA_FORMS, "output": MODEL_FORMS}
"""What the API server says can be written."""

# Changes of the minimal job, what the API server says, and what ftj says.
REFUSED: dict[str, tuple[Json, str, str]] = {
    # rules
    "an output on the hub": (
        {"output.uri": "hf://org/name"},
        'spec.output.uri: Invalid value: "hf://org/name": '
        "the hub cannot be written to: write s3://bucket/prefix or pvc://claim/path",
        "cannot be written to",
    ),
    **{
        f"a push to {uri}": (
            {"output.push": uri},
            f'spec.output.push: Invalid value: "{uri}": '
            "a result is pushed to a model repository of the hub: write hf://org/name",
            said,
        )
        for uri, said in {
            "s3://bucket/a": "is no model repository of the hub",
            "hf://datasets/org/name": "is no model repository of the hub",
            "hf://org/name/file": "is no model repository of the hub",
            "hf://org": "is not a hub location",
        }.items()
    },
    **{
        f"an unknown scheme in {path}": (
            {f"{path}.uri": "gs://bucket/a"},
            f'spec.{path}.uri: Invalid value: "gs://bucket/a": write {FORMS[path]}',
            "is not a location",
        )
        for path in FORMS
    },
    **{
        f"{uri} as {path}": (
            {f"{path}.uri": uri},
            f'spec.{path}.uri: Invalid value: "{uri}": write {FORMS[path]}',
            "can only be a dataset",
        )
        for path in ("model", "output")
        for uri in ("https://example.com/a", "configmap://faq/rows.jsonl")
    },
    **{
        f"an address without a checksum in {path}": (
            {f"{path}.uri": "https://example.com/a"},
            f"spec.{path}: Invalid value: https needs sha256 beside the uri: write what sha256sum says of the file",
            "needs sha256 beside it",
        )
        for path in ("dataset", "dataset.validation")
    },
    "an address that is not encrypted": (
        {"dataset.uri": "http://example.com/a"},
        f'spec.dataset.uri: Invalid value: "http://example.com/a": write {DATA_FORMS}',
        "would be read unencrypted",
    ),
    "an address with a password": (
        {"dataset.uri": "https://user:password@example.com/a", "dataset.sha256": "0" * 64},
        f'spec.dataset.uri: Invalid value: "https://user:password@example.com/a": write {DATA_FORMS}',
        "whoever may read the job would read the user and password in it",
    ),
    "a ConfigMap without a key": (
        {"dataset.uri": "configmap://faq"},
        f'spec.dataset.uri: Invalid value: "configmap://faq": write {DATA_FORMS}',
        "does not name a key of a ConfigMap",
    ),
    "a fraction and a checksum": (
        {"dataset.validation": {"fraction": 0.1, "sha256": "0" * 64}},
        "spec.dataset.validation: Invalid value: give either fraction, or uri and what goes with it",
        "spec.dataset.validation.sha256: unknown field",
    ),
    "a hub location without a name": (
        {"model.uri": "hf://org"},
        'spec.model.uri: Invalid value: "hf://org": write hf://org/name,',
        "is not a hub location",
    ),
    "a bucket in capitals": (
        {"dataset.uri": "s3://Bucket/a"},
        'spec.dataset.uri: Invalid value: "s3://Bucket/a": write hf://datasets/org/name,',
        "is not a bucket name",
    ),
    "a claim in capitals": (
        {"dataset.uri": "pvc://Claim/a"},
        'spec.dataset.uri: Invalid value: "pvc://Claim/a": write hf://datasets/org/name,',
        "is not the name of a claim",
    ),
    "a location that climbs": (
        {"output.uri": "pvc://models/../other"},
        'spec.output.uri: Invalid value: "pvc://models/../other": write the location without ..',
        "'..' is not allowed",
    ),
    "a batch that is not the product": (
        {"hyperparameters": {"effectiveBatchSize": 16, "microBatchSize": 2, "gradientAccumulationSteps": 4}},
        "spec.hyperparameters.effectiveBatchSize: Invalid value: "
        "not microBatchSize x gradientAccumulationSteps x GPUs: give two of the three",
        "give two of the three",
    ),
    "a batch that leaves out the nodes": (
        {
            "gpu": {"type": "A10", "perNode": 2, "nodes": 3},
            "hyperparameters": {"effectiveBatchSize": 16, "microBatchSize": 2, "gradientAccumulationSteps": 4},
        },
        "spec.hyperparameters.effectiveBatchSize: Invalid value: "
        "not microBatchSize x gradientAccumulationSteps x GPUs: give two of the three",
        "x 6 GPUs = 48",
    ),
    "more nodes than may be": (
        {"gpu.nodes": 65}, "spec.gpu.nodes: Invalid value: 65: ", "less than or equal to 64",
    ),
    "a batch that is no multiple of the micro-batch": (
        {"hyperparameters": {"effectiveBatchSize": 16, "microBatchSize": 3}},
        "spec.hyperparameters.effectiveBatchSize: Invalid value: not a multiple of microBatchSize: change one of them",
        "is not a multiple of microBatchSize 3",
    ),
    "a batch that is no multiple of the accumulation": (
        {"hyperparameters": {"effectiveBatchSize": 16, "gradientAccumulationSteps": 3}},
        "spec.hyperparameters.effectiveBatchSize: Invalid value: "
        "not a multiple of gradientAccumulationSteps: change one of them",
        "is not a multiple of gradientAccumulationSteps 3",
    ),
    "a batch of nothing": (
        {"hyperparameters": {"effectiveBatchSize": 16, "microBatchSize": 0}},
        "spec.hyperparameters.microBatchSize: Invalid value: 0: ",
        "greater than or equal to 1",
    ),
    "a fraction and a location": (
        {"dataset.validation": {"fraction": 0.1, "uri": "s3://bucket/a"}},
        "spec.dataset.validation: Invalid value: give either fraction, or uri and what goes with it",
        "spec.dataset.validation.fraction: unknown field",
    ),
    "a fraction and a secret": (
        {"dataset.validation": {"fraction": 0.1, "secretName": "a"}},
        "spec.dataset.validation: Invalid value: give either fraction, or uri and what goes with it",
        "spec.dataset.validation.secretName: unknown field",
    ),
    "neither a fraction nor a location": (
        {"dataset.validation": {}},
        "spec.dataset.validation: Invalid value: give either fraction, or uri and what goes with it",
        "spec.dataset.validation.fraction: required",
    ),
    "a check that does not exist": (
        {"dataset.quality": {"empty-ouput": "warn"}},
        "spec.dataset.quality: Invalid value: use only these keys: unreadable-row, ",
        "spec.dataset.quality.empty-ouput",
    ),
    "a long key": (
        {"pod.labels": {"a" * 318: "b"}},
        "spec.pod.labels: Invalid value: shorten the longest key: at most 317 characters are allowed",
        "at most 317 characters",
    ),
    "all linears and one more": (
        {"hyperparameters": {"lora": {"targetModules": ["all-linear", "q_proj"]}}},
        "spec.hyperparameters.lora.targetModules: Invalid value: all-linear stands alone: write [all-linear], or",
        "all-linear stands alone",
    ),
    "a variable of the trainer's own": (
        {"pod.env": [{"name": "A"}, {"name": "FINETUNE_OUTPUT", "value": "b"}]},
        'spec.pod.env[1].name: Invalid value: "FINETUNE_OUTPUT": '
        "choose another name: those that begin with FINETUNE_ are the trainer's own",
        "names that begin with FINETUNE_",
    ),
    "a long name": (
        {"metadata.name": "a" * 46},
        "metadata.name: Invalid value: shorten the name to 45 characters: children append to it",
        "at most 45 characters",
    ),
    "a name with a dot": (
        {"metadata.name": "a.b"},
        "metadata.name: Invalid value: use lower-case letters, digits and - only",
        "metadata.name",
    ),
    # limits
    "no GPU": ({"gpu": ...}, "spec.gpu: Required value", "spec.gpu: required"),
    "a GPU without a type": ({"gpu": {}}, "spec.gpu.type: Required value", "spec.gpu.type: required"),
    "no dataset": ({"dataset": ...}, "spec.dataset: Required value", "spec.dataset: required"),
    "an empty text": ({"gpu.type": ""}, "spec.gpu.type: Invalid value: \"\": ", "at least 1 character"),
    "a long text": ({"gpu.type": "a" * 65}, "spec.gpu.type: Too long: ", "at most 64 characters"),
    "a text of another form": (
        {"dataset.sha256": "A" * 64}, "spec.dataset.sha256: Invalid value: ", "should match pattern",
    ),
    "an address of another form": (
        {"model.endpointURL": "s3.example.com"}, "spec.model.endpointURL: Invalid value: ", "should match pattern",
    ),
    "a choice that does not exist": (
        {"method": "dora"}, 'spec.method: Unsupported value: "dora": supported values: "auto", "full", "lora", "qlora"',
        "input should be 'auto', 'full', 'lora' or 'qlora'",
    ),
    "a small number": (
        {"hyperparameters.lora.rank": 0}, "spec.hyperparameters.lora.rank: Invalid value: 0: ", "equal to 1",
    ),
    "a number at an open end": (
        {"hyperparameters.learningRate": 0}, "spec.hyperparameters.learningRate: Invalid value: 0: ", "greater than 0",
    ),
    "a number at the other open end": (
        {"hyperparameters.warmupRatio": 1}, "spec.hyperparameters.warmupRatio: Invalid value: 1: ", "less than 1",
    ),
    "a large number": (
        {"hyperparameters.maxSteps": 2**31},
        "spec.hyperparameters.maxSteps: Invalid value: 2147483648: ", "less than or",
    ),
    "an empty list": (
        {"hyperparameters.lora.targetModules": []},
        "spec.hyperparameters.lora.targetModules: Invalid value: 0: ", "at least 1 item",
    ),
    "a long list": (
        {"evaluation.samples.prompts": ["a"] * 33}, "spec.evaluation.samples.prompts: Too many: 33: ", "at most 32",
    ),
    "a large map": (
        {"dataset.columns": {f"{n}": "a" for n in range(17)}}, "spec.dataset.columns: Too many: 17: ", "at most 16",
    ),
}  # fmt: skip

# The same; server-side apply finds these before validation, and has its own words for them.
MISTYPED: dict[str, tuple[Json, str, str, str]] = {
    "a text for a number": (
        {"hyperparameters.seed": "5"},
        'spec.hyperparameters.seed: Invalid value: "string": ',
        ".spec.hyperparameters.seed: expected numeric",
        "valid integer",
    ),
    "a number for a text": (
        {"gpu.type": 5}, 'spec.gpu.type: Invalid value: "integer": ', ".spec.gpu.type: expected string", "valid string",
    ),
    "a boolean for a text": (
        {"gpu.type": False},
        'spec.gpu.type: Invalid value: "boolean": ',
        ".spec.gpu.type: expected string",
        "false is a boolean",
    ),
    "a text for a boolean": (
        {"suspend": "yes"},
        'spec.suspend: Invalid value: "string": ',
        ".spec.suspend: expected boolean",
        "valid boolean",
    ),
    "a value for fields": (
        {"model": "hf://a/b"}, 'spec.model: Invalid value: "string": ', ".spec.model: expected map", "expected fields",
    ),
    "a text for a list": (
        {"hyperparameters.lora.targetModules": "all-linear"},
        'spec.hyperparameters.lora.targetModules: Invalid value: "string": ',
        ".spec.hyperparameters.lora.targetModules: expected list",
        "valid list",
    ),
    "an unnamed variable": (
        {"pod.env": [{"value": "a"}]},
        "spec.pod.env[0].name: Required value",
        ".spec.pod.env: element 0: associative list with keys has an element that omits all key fields",
        "spec.pod.env[0].name: required",
    ),
    "a variable given twice": (
        {"pod.env": [{"name": "A"}, {"name": "A", "value": "b"}]},
        "spec.pod.env[1]: Duplicate value: ",
        ".spec.pod.env: duplicate entries for key",
        "A is given twice",
    ),
    "a secret given twice": (
        {"pod.imagePullSecrets": [{"name": "a"}, {"name": "a"}]},
        "spec.pod.imagePullSecrets[1]: Duplicate value: ",
        ".spec.pod.imagePullSecrets: duplicate entries for key",
        "a is given twice",
    ),
}  # fmt: skip

UNKNOWN = {
    "spec.modle": {"modle": {"uri": "hf://a/b"}},
    "spec.hyperparameters.lr": {"hyperparameters.lr": 1e-5},
    "spec.pod.env[0].valueFrom": {"pod.env": [{"name": "A", "valueFrom": "b"}]},
}
"""Changes that name a field that is not there, by the field."""

APPLY = {"client-side": ("apply",), "server-side": ("apply", "--server-side")}


class Cluster:
    """The control plane with the CRD, and a namespace for jobs."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self.plane = plane
        self.namespace = namespace

    def apply(self, job: Json, mode: str, *options: str, check: bool = True) -> tuple[int, str]:
        """What kubectl ends with, and what it says."""
        command = (*APPLY[mode], "--namespace", self.namespace, "--filename", "-", *options)
        ended = self.plane.kubectl(*command, input=json.dumps(job), check=check)
        return ended.returncode, ended.stdout + ended.stderr

    def get(self, name: str) -> Json:
        """The job as the API server has it."""
        return self.plane.json("finetunejob", name, "--namespace", self.namespace)

    def would_create(self, job: Json) -> tuple[int, Json]:
        """What the API server answers to a new job, without keeping it."""
        return self.plane.request("POST", JOBS.format(self.namespace) + DRY, job)

    def would_patch(self, name: str, spec: Json) -> tuple[int, Json]:
        """What the API server answers to a change of the spec, without making it."""
        path = f"{JOBS.format(self.namespace)}/{name}{DRY}"
        return self.plane.request("PATCH", path, {"spec": spec}, "application/merge-patch+json")


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Iterator[Cluster]:
    control_plane.kubectl("apply", "--server-side", "--filename", str(ROOT / "crds" / "finetunejobs.yaml"))
    control_plane.kubectl("wait", "--for=condition=Established", "crd/finetunejobs.finetune.dev")
    with control_plane.namespace("crd-admission") as namespace:
        made = Cluster(control_plane, namespace)
        wait_for(lambda: made.would_create(MINIMAL)[0] == 201)  # the new path is served a moment later
        yield made


def refusal(job: Json) -> str:
    """What ``ftj`` says; empty where it takes the job."""
    try:
        read_job(json.dumps(job))
    except InvalidSpec as error:
        return str(error)
    return ""


def complaints(said: str) -> list[str]:
    """What kubectl printed: a line for each thing that is wrong."""
    skipped = "some validation rules were not checked"
    return [line for line in said.splitlines() if line and skipped not in line and not line.endswith(" is invalid: ")]


class TestAGoodJob:
    def test_of_these_has_every_field(self) -> None:
        missing = set(_paths(SPEC)) - set(_given(EVERY_FIELD["spec"]))
        assert missing == {"dataset.validation.fraction"}, "it is a location, or a fraction"

    @pytest.mark.parametrize("mode", APPLY)
    @pytest.mark.parametrize("job", [MINIMAL, EVERY_FIELD], ids=["minimal", "every-field"])
    def test_comes_back_unchanged(self, cluster: Cluster, job: Json, mode: str) -> None:
        name = f"good-{mode}-{len(job['spec'])}"
        job = changed(job, {"metadata.name": name})
        cluster.apply(job, mode)
        cluster.apply(job, mode)
        kept = cluster.get(name)
        assert kept["spec"] == job["spec"]
        assert kept["metadata"]["generation"] == 1
        assert read_job(json.dumps(kept)) == read_job(json.dumps(job))

    @pytest.mark.parametrize(
        "path", sorted(path for path in ROOT.glob("examples/**/*.yaml") if "FineTuneJob" in path.read_text("utf-8"))
    )
    def test_is_every_example_for_a_cluster(self, cluster: Cluster, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        job = load_yaml(text)
        read_job(text, base="/")
        if "file:" in json.dumps(job["spec"]):
            assert "file: is for ftj run" in cluster.apply(job, "client-side", "--dry-run=server", check=False)[1]
        else:
            assert cluster.plane.kubectl("apply", "--dry-run=server", "--filename", str(path), check=False).stderr == ""


@pytest.mark.parametrize("mode", APPLY)
class TestABadJob:
    @pytest.mark.parametrize("case", REFUSED)
    def test_is_refused_in_one_line(self, cluster: Cluster, case: str, mode: str) -> None:
        changes, message, message_of_ftj = REFUSED[case]
        job = changed(MINIMAL, changes)
        _, said = cluster.apply(job, mode, "--dry-run=server", check=False)
        (line,) = complaints(said)
        assert message in line
        assert message_of_ftj in refusal(job)

    @pytest.mark.parametrize("case", MISTYPED)
    def test_of_wrong_types_is_refused_in_one_line(self, cluster: Cluster, case: str, mode: str) -> None:
        changes, *messages, message_of_ftj = MISTYPED[case]
        job = changed(MINIMAL, changes)
        _, said = cluster.apply(job, mode, "--dry-run=server", check=False)
        (line,) = complaints(said)
        assert messages[list(APPLY).index(mode)] in line
        assert message_of_ftj in refusal(job)

    @pytest.mark.parametrize("field", UNKNOWN)
    def test_with_an_unknown_field_is_refused(self, cluster: Cluster, field: str, mode: str) -> None:
        job = changed(MINIMAL, UNKNOWN[field])
        code, said = cluster.apply(job, mode, "--dry-run=server", check=False)
        assert code == 1
        assert field.rpartition(".")[2] in said
        assert {"client-side": f'unknown field "{field}"', "server-side": "field not declared in schema"}[mode] in said
        assert f"{field}: unknown field" in refusal(job)

    @pytest.mark.parametrize("path", FORMS)
    def test_with_a_file_is_for_ftj_alone(self, cluster: Cluster, path: str, mode: str) -> None:
        job = changed(MINIMAL, {f"{path}.uri": "file:///data/a"})
        _, said = cluster.apply(job, mode, "--dry-run=server", check=False)
        (line,) = complaints(said)
        assert (
            f'spec.{path}.uri: Invalid value: "file:///data/a": file: is for ftj run on one machine: '
            f"a cluster takes {FORMS[path]}"
        ) in line
        assert refusal(job) == ""


def _paths(schema: Json, path: str = "") -> Iterator[str]:
    """Every path below a schema; those below a list or a map of objects too."""
    for name, field in schema.get("properties", {}).items():
        inner = f"{path}.{name}".removeprefix(".")
        yield inner
        yield from _paths(field.get("items", field), inner)


def _given(value: Any, path: str = "") -> Iterator[str]:
    """Every path below a value that has one, in the same words."""
    for one in value if isinstance(value, list) else [value]:
        for name, below in one.items() if isinstance(one, dict) else ():
            inner = f"{path}.{name}".removeprefix(".")
            yield inner
            yield from _given(below, inner)


NUMBERS = (-1, 0, 0.5, 1, 2, 15, 16, 32, 33, 100, 101, 1000, 1001, 1024, 1025, 4096, 4097, 2**20, 2**20 + 1,
           31_536_000, 31_536_001, 2**31 - 1, 2**31)  # fmt: skip
LENGTHS = (0, 1, 63, 64, 65, 128, 129, 253, 254, 256, 257, 317, 318, 512, 513, 1024, 1025, 4096, 4097)
WORDS = ("a.b", "-a", "a-", "A", "a b", "é", "a\n", "1a", "http://a", "s3://abc", "s3://a", "s3://a..b/c", "s3://abc/../d",
         "s3://abc/..d", "hf://a/b", "hf://datasets/a/b/c", "hf://a", "pvc://a", "pvc://a/b", "pvc://-a", "pvc://a/..",
         "https://a/b", "https://a", "https://a@b/c", "https://a/..", "configmap://a/b", "configmap://a", "configmap://a/b/c",
         "FINETUNE_A", "0" * 64, "0" * 63)  # fmt: skip
SIZES = (0, 1, 8, 9, 16, 17, 32, 33, 64, 65)
WRONG_TYPES: tuple[Any, ...] = (5, "a", True, {}, [], [5], {"a": 5})


def _candidates(schema: Json) -> Iterator[Any]:
    """Values for a field, good ones and bad ones: nobody says here which is which."""
    yield from WRONG_TYPES
    yield from schema.get("enum", [])
    if schema["type"] in ("integer", "number"):
        yield from NUMBERS
    if schema["type"] == "string":
        yield from WORDS
        yield from ("a" * length for length in LENGTHS)
    if schema["type"] == "array":
        objects = schema["items"]["type"] == "object"
        for size in SIZES:
            yield [{"name": f"a{n}"} if objects else f"a{n}" for n in range(size)]
            yield [{} if objects else "a"] * size
        yield from (["a" * length] for length in LENGTHS)
    if "additionalProperties" in schema:
        yield from ({f"a{n}": "b" for n in range(size)} for size in SIZES)
        yield from ({"a" * length: "a"} for length in LENGTHS)
        yield from ({"a": "a" * length} for length in LENGTHS)
        yield from ({key: value} for key in ("over-length", "a") for value in ("warn", "off"))


def _fields(schema: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Json]]:
    """Every field, those of a list's first entry included."""
    for name, field in schema.get("properties", {}).items():
        yield (*path, name), field
        yield from _fields(field, (*path, name))
    if schema["type"] == "array":
        yield from _fields(schema["items"], (*path, 0))


def _with(job: Json, path: tuple[str | int, ...], value: Any) -> Json:
    job = deepcopy(job)
    place: Any = job["spec"]
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return job


class TestTheClusterAgreesWithFtj:
    """Whatever ``ftj`` takes the API server takes, and what the one refuses the other refuses."""

    @pytest.mark.parametrize("section", EVERY_FIELD["spec"])
    def test_on_every_field(self, cluster: Cluster, section: str) -> None:
        verdicts = []
        for path, schema in _fields(SPEC):
            if path[0] != section:
                continue
            base = changed(
                EVERY_FIELD, {"hyperparameters.effectiveBatchSize": 16, "hyperparameters.microBatchSize": ...}
            )
            if path == ("dataset", "validation", "fraction"):
                base = changed(base, {"dataset.validation": {}})
            for value in _candidates(schema):
                job = _with(base, path, value)
                status, answer = cluster.would_create(job)
                told = refusal(job)
                assert (status == 201) == (told == ""), f"{path} = {value!r}\nAPI server: {answer}\nftj: {told}"
                verdicts.append(status == 201)
        assert {True, False} <= set(verdicts)

    def test_on_batch_sizes(self, cluster: Cluster) -> None:
        sizes = (None, 1, 2, 3, 6)
        for *triple, per_node in product(sizes, sizes, sizes, (None, 3)):
            names = ("effectiveBatchSize", "microBatchSize", "gradientAccumulationSteps")
            given = {name: size for name, size in zip(names, triple, strict=True) if size}
            gpu = {"type": "A10"} | ({"perNode": per_node} if per_node else {})
            job = changed(MINIMAL, {"hyperparameters": given, "gpu": gpu})
            assert (cluster.would_create(job)[0] == 201) == (refusal(job) == ""), (given, gpu)

    def test_on_the_largest_batch_sizes(self, cluster: Cluster) -> None:
        """Their product is more than an integer of CEL holds."""
        largest = dict.fromkeys(("effectiveBatchSize", "microBatchSize", "gradientAccumulationSteps"), 2**31 - 1)
        gpu = {"type": "A10", "perNode": 16, "nodes": 64}
        status, answer = cluster.would_create(changed(MINIMAL, {"hyperparameters": largest, "gpu": gpu}))
        assert status == 422
        assert "give two of the three" in answer["message"]


OTHER: Json = {
    "model": {"uri": "hf://a/other"},
    "dataset": {"maxRows": 7},
    "gpu": {"type": "L4"},
    "output": {"overwrite": False},
    "method": "full",
    "hyperparameters": {"lora": {"targetModules": ["o_proj"]}},
    "evaluation": {"samples": {"prompts": ["Hi"]}},
    "checkpoints": {"keep": 5},
    "budget": {"maxCost": 5},
    "failurePolicy": {"maxRetries": 5},
    "priorityClassName": "high",
    "pod": {"labels": {"another": "label"}},
}
"""Other values for every field of the spec that may not be changed."""


def assert_immutable(answer: tuple[int, Json], field: str) -> None:
    """The change was refused for this field, with the way out."""
    status, content = answer
    assert status == 422, content
    assert content["details"]["causes"] == [
        {
            "reason": "FieldValueForbidden",
            "message": f"Forbidden: spec.{field} cannot be changed: delete the job and create it again",
            "field": f"spec.{field}",
        }
    ]


class TestAnUpdate:
    @pytest.fixture(autouse=True)
    def _jobs(self, cluster: Cluster) -> None:
        cluster.apply(changed(MINIMAL, {"metadata.name": "minimal"}), "server-side")
        cluster.apply(changed(EVERY_FIELD, {"metadata.name": "full"}), "server-side")

    @pytest.mark.parametrize("field", OTHER)
    def test_of_a_value_is_refused(self, cluster: Cluster, field: str) -> None:
        assert_immutable(cluster.would_patch("full", {field: OTHER[field]}), field)

    @pytest.mark.parametrize("field", [field for field in OTHER if field not in MINIMAL["spec"]])
    def test_that_adds_or_removes_a_field_is_refused(self, cluster: Cluster, field: str) -> None:
        assert_immutable(cluster.would_patch("minimal", {field: OTHER[field]}), field)
        assert_immutable(cluster.would_patch("full", {field: None}), field)

    @pytest.mark.parametrize("mode", APPLY)
    def test_through_kubectl_is_refused_in_one_line(self, cluster: Cluster, mode: str) -> None:
        name = f"updated-{mode}"
        job = changed(EVERY_FIELD, {"metadata.name": name})
        cluster.apply(job, mode)
        _, said = cluster.apply(changed(job, {"gpu.type": "L4"}), mode, check=False)
        (line,) = complaints(said)
        assert "spec.gpu: Forbidden: spec.gpu cannot be changed: delete the job and create it again" in line

    @pytest.mark.parametrize("mode", APPLY)
    def test_of_the_two_mutable_fields_is_taken(self, cluster: Cluster, mode: str) -> None:
        name = f"mutable-{mode}"
        for suspend, seconds in ((..., ...), (True, 60), (False, 0), (..., ...)):
            job = changed(MINIMAL, {"metadata.name": name, "suspend": True, "ttlSecondsAfterFinished": 0})
            job = changed(job, {"suspend": suspend, "ttlSecondsAfterFinished": seconds})
            cluster.apply(job, mode)
            assert cluster.get(name)["spec"] == job["spec"]

    def test_covers_every_other_field(self) -> None:
        assert OTHER.keys() == EVERY_FIELD["spec"].keys() - {"suspend", "ttlSecondsAfterFinished"}


def _filled(schema: Json, definitions: Json) -> Any:
    """A value for a pydantic schema with every field in it."""
    if "$ref" in schema:
        return _filled(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return _filled(schema["anyOf"][0], definitions)
    if "enum" in schema:
        return schema["enum"][0]
    match schema["type"]:
        case "object":
            return {name: _filled(field, definitions) for name, field in schema["properties"].items()}
        case "array":
            return [_filled(schema["items"], definitions)]
        case "string":
            return "2026-01-02T03:04:05.678901Z" if schema.get("format") == "date-time" else "文本 text"
        case kind:
            return {"integer": 2**40, "number": 0.5, "boolean": True}[kind]


class TestTheStatus:
    @pytest.fixture
    def status(self) -> FineTuneJobStatus:
        """One with every field that the models have."""
        schema = FineTuneJobStatus.model_json_schema()
        return FineTuneJobStatus.model_validate_json(json.dumps(_filled(schema, schema["$defs"])))

    def patch(self, cluster: Cluster, name: str, status: Json) -> None:
        path = f"{JOBS.format(cluster.namespace)}/{name}/status?fieldValidation=Strict"
        code, answer = cluster.plane.request("PATCH", path, {"status": status}, "application/merge-patch+json")
        assert code == 200, answer

    def test_survives_the_api_server_whole(self, cluster: Cluster, status: FineTuneJobStatus) -> None:
        cluster.apply(changed(MINIMAL, {"metadata.name": "reported"}), "server-side")
        written = json.loads(status.to_json())
        self.patch(cluster, "reported", written)
        kept = cluster.get("reported")
        assert kept["status"] == written
        assert kept["metadata"]["generation"] == 1
        assert FineTuneJobStatus.model_validate_json(json.dumps(kept["status"])) == status

    def test_cannot_be_written_with_the_spec(self, cluster: Cluster) -> None:
        job = changed(MINIMAL, {"metadata.name": "presumptuous"}) | {"status": {"phase": "Succeeded"}}
        cluster.apply(job, "client-side")
        assert "status" not in cluster.get("presumptuous")

    def test_shows_in_columns(self, cluster: Cluster, status: FineTuneJobStatus) -> None:
        cluster.apply(changed(EVERY_FIELD, {"metadata.name": "shown"}), "server-side")
        written = json.loads(status.to_json())
        written |= {"phase": "Training", "plan": written["plan"] | {"method": "qlora"}}
        written["progress"] |= {"steps": "340/1200", "loss": 1.25, "evalLoss": 1.5, "eta": "1h20m"}
        told = written["conditions"][0]
        written["conditions"] = [told | {"type": "Planned"}, told | {"type": "Ready", "message": "step 340 of 1200"}]
        self.patch(cluster, "shown", written)

        def table(*options: str) -> dict[str, str]:
            get = cluster.plane.kubectl("get", "ftj", "shown", "--namespace", cluster.namespace, *options)
            heads, values = (re.split(r"  +", line.strip()) for line in get.stdout.splitlines())
            return dict(zip(heads, values, strict=True))

        narrow = {
            "NAME": "shown", "PHASE": "Training", "METHOD": "qlora", "GPU": "A100-80GB", "PROGRESS": "340/1200",
            "LOSS": "1.25", "ETA": "1h20m",
        }  # fmt: skip
        wide = {
            "MODEL": "hf://Qwen/Qwen2.5-7B-Instruct@main", "EVAL-LOSS": "1.5", "OUTPUT": "s3://models/support-bot",
            "MESSAGE": "step 340 of 1200",
        }  # fmt: skip
        shown = table()
        assert re.fullmatch(r"\d+s", shown.pop("AGE"))
        assert shown == narrow
        shown = table("--output", "wide")
        assert shown.pop("AGE")
        assert shown == narrow | wide


def test_kubectl_explains_every_field(cluster: Cluster) -> None:
    def explained() -> str:
        field = "finetunejob.spec.hyperparameters.learningRate"
        return cluster.plane.kubectl("explain", field, check=False).stdout

    told = wait_for(explained)  # the API server publishes schemas a moment after it serves them
    assert "FIELD: learningRate <number>" in told
    assert "Peak learning rate." in told
