"""A job file becomes a FineTuneJob, or one clear line for each thing that is wrong in it."""

from pathlib import Path

import pytest
from jobs import JOB, job

from finetune_core.api import FineTuneJob, Location, read_job
from finetune_core.api.job import ValidationFraction
from finetune_core.api.location import DataLocation, FileUri, parse_uri
from finetune_core.errors import InvalidSpec


def problems(text: str, *overrides: str, base: str | None = None) -> list[str]:
    """The lines of the refusal."""
    with pytest.raises(InvalidSpec) as caught:
        read_job(text, list(overrides), base)
    return str(caught.value).splitlines()


def problem(*overrides: str) -> str:
    """The one line that the job with these changes is refused with."""
    (line,) = problems(JOB, *overrides)
    return line


class TestAGoodJob:
    def test_needs_four_facts(self) -> None:
        read = read_job(JOB)
        assert read.metadata.name == "support-bot"
        assert read.spec.model.uri == "hf://Qwen/Qwen2.5-7B-Instruct"
        assert (read.spec.method, read.spec.dataset.format, read.spec.hyperparameters.preset) == (
            "auto", "auto", "conservative",
        )  # fmt: skip
        assert read.spec.dataset.validation == ValidationFraction(fraction=0.1)

    def test_may_hold_whatever_metadata_a_cluster_knows(self) -> None:
        text = JOB.replace("  name: support-bot\n", "  {name: a, namespace: b, labels: {c: d}, uid: e}\n")
        assert read_job(text).metadata.name == "a"

    def test_numbers_are_those_of_kubectl(self) -> None:
        given = job(
            "hyperparameters.learningRate=5e-5", "hyperparameters.epochs=3", "hyperparameters.lora.rank=1e1",
            "hyperparameters.weightDecay=0",
        ).spec.hyperparameters  # fmt: skip
        assert (given.learning_rate, given.epochs, given.lora.rank, given.weight_decay) == (5e-5, 3.0, 10, 0.0)

    def test_validation_is_a_fraction_or_a_location(self) -> None:
        assert job("dataset.validation.fraction=0").spec.dataset.validation == ValidationFraction(fraction=0)
        assert job("dataset.validation.uri=s3://datasets/held-out.jsonl").spec.dataset.validation == DataLocation(
            uri="s3://datasets/held-out.jsonl"
        )

    def test_survives_json(self) -> None:
        read = job("hyperparameters.lora.targetModules=[q_proj]", "dataset.quality.empty-output=warn")
        assert FineTuneJob.model_validate_json(read.to_json()) == read


class TestUnknownFields:
    @pytest.mark.parametrize(
        ("change", "line"),
        [
            ("modle.uri=x", "spec.modle: unknown field; did you mean model?"),
            ("gpu.typ=A10", "spec.gpu.typ: unknown field; did you mean type?"),
            ("dataset.valdation.fraction=0", "spec.dataset.valdation: unknown field; did you mean validation?"),
            ("dataset.maxrows=5", "spec.dataset.maxrows: unknown field; did you mean maxRows?"),
            ("dataset.endpointUrl=https://a", "spec.dataset.endpointUrl: unknown field; did you mean endpointURL?"),
            ("hyperparameters.lr=1e-5", "spec.hyperparameters.lr: unknown field; known here: activationCheckpointing,"),
            (
                "hyperparameters.learning_rate=1e-5",
                "spec.hyperparameters.learning_rate: unknown field; did you mean learningRate?",
            ),
            (
                "hyperparameters.lora.target_modules=all-linear",
                "spec.hyperparameters.lora.target_modules: unknown field; did you mean targetModules?",
            ),
            (
                "hyperparameters.quantization.doubleQuantisation=on",
                "spec.hyperparameters.quantization.doubleQuantisation: unknown field; did you mean doubleQuantization?",
            ),
            ("evaluation.samples.prompt=x", "spec.evaluation.samples.prompt: unknown field; did you mean prompts?"),
            ("gpu.count=2", "spec.gpu.count: unknown field; known here: nodes, perNode, type"),
            (
                "dataset.validation={uri: s3://abc/d, secretname: x}",
                "spec.dataset.validation.secretname: unknown field; did you mean secretName?",
            ),
            ("spec.spec.gpu=1", "spec.spec: unknown field; known here: budget, checkpoints, dataset,"),
        ],
    )
    def test_name_the_nearest_field_or_those_there_are(self, change: str, line: str) -> None:
        assert problem(change).startswith(line)

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            ("spek: {}", "spek: unknown field; did you mean spec?"),
            ("status: {}", "status: unknown field; known here: apiVersion, kind, metadata, spec"),
            ("on: 1", "true: unknown field"),
            ('"a\\nb": 1', "'a\\nb': unknown field"),
            ('"\\e[31m": 1', "'\\x1b[31m': unknown field"),
        ],
    )
    def test_at_the_top_too_and_always_in_one_line(self, line: str, told: str) -> None:
        (found,) = problems(f"{JOB}{line}\n")
        assert found.startswith(told)

    def test_of_a_check_lists_the_checks(self) -> None:
        line = problem("dataset.quality={empty-outputs: warn}")
        assert line.startswith("spec.dataset.quality.empty-outputs: ")
        assert "'empty-output'" in line


class TestWrongValues:
    @pytest.mark.parametrize(
        ("change", "line"),
        [
            ("hyperparameters.lora.rank=1.5", "spec.hyperparameters.lora.rank: 1.5: input should be a valid integer"),
            ('hyperparameters.lora.rank="8"', "spec.hyperparameters.lora.rank: '8': input should be a valid integer"),
            (
                "hyperparameters.lora.rank=0",
                "spec.hyperparameters.lora.rank: 0: input should be greater than or equal to 1",
            ),
            (
                "hyperparameters.learningRate=2",
                "spec.hyperparameters.learningRate: 2: input should be less than or equal to 1",
            ),
            (
                "hyperparameters.learningRate=fast",
                "spec.hyperparameters.learningRate: 'fast': input should be a valid number",
            ),
            (
                "hyperparameters.learningRate=1e400",
                "spec.hyperparameters.learningRate: '1e400': input should be a valid number",
            ),
            (
                "hyperparameters.maxSteps=3_000_000_000",
                "spec.hyperparameters.maxSteps: 3000000000: input should be less than or equal to 2147483647",
            ),
            ("gpu.type=3090", "spec.gpu.type: 3090: input should be a valid string"),
            ("gpu.type=", "spec.gpu.type: null: input should be a valid string"),
            ("gpu.type=" + "x" * 200, "spec.gpu.type: 'xxxxx"),
            ("gpu=A10", "spec.gpu: 'A10': expected fields of its own, not a single value"),
            ("checkpoints=", "spec.checkpoints: null: expected fields of its own, not a single value"),
            ("dataset.validation=0.1", "spec.dataset.validation: 0.1: expected fields of its own"),
            ("dataset.columns={a: 1}", "spec.dataset.columns.a: 1: input should be a valid string"),
            ("method=LoRA", "spec.method: 'LoRA': input should be 'auto', 'full', 'lora' or 'qlora'"),
            ('dataset.quality={secret: "off"}', "spec.dataset.quality.secret: "),
            ('dataset.quality={empty-output: "off"}', "spec.dataset.quality.empty-output: 'off': input should be"),
            ('evaluation.samples.prompts=[a, ""]', "spec.evaluation.samples.prompts[1]: '': string should have at"),
            ("dataset.sha256=abc", "spec.dataset.sha256: 'abc': string should match pattern"),
            ("dataset.secretName=../etc", "spec.dataset.secretName: '../etc': string should match pattern"),
            ("dataset.endpointURL=ftp://a", "spec.dataset.endpointURL: 'ftp://a': string should match pattern"),
            ("model.uri=Qwen", "spec.model.uri: 'Qwen' is not a location: write hf://org/name"),
            ("output.uri=hf://a/b", "spec.output: 'hf://a/b' cannot be written to: write s3://bucket/prefix"),
            (
                "hyperparameters={effectiveBatchSize: 16, microBatchSize: 3}",
                "spec.hyperparameters: effectiveBatchSize 16 is not a multiple of microBatchSize 3",
            ),
            (
                "hyperparameters={effectiveBatchSize: 16, gradientAccumulationSteps: 3}",
                "spec.hyperparameters: effectiveBatchSize 16 is not a multiple of gradientAccumulationSteps 3",
            ),
            (
                "hyperparameters={effectiveBatchSize: 16, microBatchSize: 4, gradientAccumulationSteps: 2}",
                "spec: hyperparameters.effectiveBatchSize 16 is not microBatchSize 4 x gradientAccumulationSteps 2 = 8",
            ),
        ],
    )
    def test_are_named_with_path_and_value(self, change: str, line: str) -> None:
        told = problem(change)
        assert told.startswith(line)
        assert len(told) < 400

    @pytest.mark.parametrize(
        ("change", "path", "word"),
        [
            ("gpu.type=off", "spec.gpu.type", "false"),
            ("method=yes", "spec.method", "true"),
            ("hyperparameters.learningRate=on", "spec.hyperparameters.learningRate", "true"),
            ("hyperparameters.seed=n", "spec.hyperparameters.seed", "false"),
            ("hyperparameters.lora.targetModules=on", "spec.hyperparameters.lora.targetModules", "true"),
            ("dataset.quality={empty-output: off}", "spec.dataset.quality.empty-output", "false"),
        ],
    )
    def test_an_unquoted_word_that_became_a_boolean_is_explained(self, change: str, path: str, word: str) -> None:
        line = problem(change)
        assert line.startswith(f"{path}: {word} is a boolean, which does not fit here (input should be ")
        assert line.endswith("; unquoted on, off, yes and no are booleans in Kubernetes YAML")

    def test_a_field_that_takes_booleans_takes_all_their_spellings_but_no_text(self) -> None:
        assert job("hyperparameters.activationCheckpointing=yes").spec.hyperparameters.activation_checkpointing is True
        line = problem('hyperparameters.activationCheckpointing="yes"')
        assert line == "spec.hyperparameters.activationCheckpointing: 'yes': input should be a valid boolean"

    def test_each_problem_has_a_line(self) -> None:
        assert problems(JOB.replace("A10", "").replace("hf:", "hub:"), "hyperparameters.epochs=0", "seed=1") == [
            "spec.model.uri: 'hub://Qwen/Qwen2.5-7B-Instruct' is not a location: "
            "write hf://org/name, s3://bucket/prefix, pvc://claim/path or file:///path",
            "spec.gpu.type: null: input should be a valid string",
            "spec.hyperparameters.epochs: 0: input should be greater than 0",
            "spec.seed: unknown field; known here: budget, checkpoints, dataset, evaluation, failurePolicy, gpu, "
            "hyperparameters, method, model, output, pod, priorityClassName, suspend, ttlSecondsAfterFinished",
        ]


class TestMissingFields:
    def test_are_all_named(self) -> None:
        assert problems("{}") == [
            f"{field}: required, but not given" for field in ("apiVersion", "kind", "metadata", "spec")
        ]
        assert problems("\n".join(JOB.splitlines()[:4]) + "\nspec: {model: {}, gpu: {type: A10}}") == [
            f"spec.{field}: required, but not given" for field in ("model.uri", "dataset", "output")
        ]

    def test_an_empty_validation_asks_for_its_fraction(self) -> None:
        assert problem("dataset.validation={}") == "spec.dataset.validation.fraction: required, but not given"


class TestAnotherDocument:
    @pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "hello", "5", "null"])
    def test_is_no_job(self, text: str) -> None:
        assert problems(text) == ["not a FineTuneJob: expected apiVersion, kind, metadata and spec"]

    def test_of_another_kind_says_which_kind_is_meant(self) -> None:
        lines = problems("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {}\n")
        assert lines[:2] == [
            "apiVersion: 'v1': input should be 'finetune.dev/v1alpha1'",
            "kind: 'Pod': input should be 'FineTuneJob'",
        ]

    @pytest.mark.parametrize("spec", ["hello", "", "[1]"])
    def test_with_a_spec_that_has_no_fields_says_so_with_and_without_overrides(self, spec: str) -> None:
        text = JOB.split("spec:")[0] + f"spec: {spec}\n"
        (line,) = problems(text)
        assert line.startswith("spec: ")
        assert problems(text, "gpu.type=A10") == [line]

    @pytest.mark.parametrize("name", ["Support", "a_b", "-a", "a-", "é", "5", '"a\\n"', "a" * 46, '""'])
    def test_with_a_name_that_kubernetes_refuses_is_refused(self, name: str) -> None:
        (line,) = problems(JOB.replace("support-bot\n", f"{name}\n", 1))
        assert line.startswith("metadata.name: ")

    @pytest.mark.parametrize("name", ["a", "0", "a-b", "a" * 45])
    def test_with_a_name_that_leaves_room_for_its_children_is_taken(self, name: str) -> None:
        assert read_job(JOB.replace("support-bot\n", f'"{name}"\n', 1)).metadata.name == name


class TestOverrides:
    def test_set_a_value_read_as_yaml(self) -> None:
        spec = job(
            "gpu.type=L4", "hyperparameters.lora.targetModules=[q_proj, v_proj]", "output.overwrite=on",
            "hyperparameters.quantization={type: fp4}", 'dataset.task="style"',
        ).spec  # fmt: skip
        assert spec.gpu.type == "L4"
        assert spec.hyperparameters.lora.target_modules == ["q_proj", "v_proj"]
        assert spec.output.overwrite is True
        assert spec.hyperparameters.quantization.type == "fp4"
        assert spec.dataset.task == "style"

    def test_may_begin_with_spec(self) -> None:
        assert job("spec.gpu.type=L4") == job("gpu.type=L4")

    def test_the_last_one_wins_and_the_value_may_hold_equals_signs(self) -> None:
        assert job("gpu.type=L4", "gpu.type=T4").spec.gpu.type == "T4"
        assert job("output.uri=s3://bucket/a=b/c").spec.output.uri == "s3://bucket/a=b/c"

    def test_leave_what_they_do_not_name(self) -> None:
        changed = job("dataset.validation.fraction=0.2").spec.dataset
        assert changed.uri == "s3://datasets/support.jsonl"

    @pytest.mark.parametrize("change", ["gpu.type", "", "=A10", "gpu..type=A10", ".=1", "gpu.=1", "spec.=1"])
    def test_without_path_and_value_are_refused(self, change: str) -> None:
        assert problem(change) == f"--set {change!r}: write path=value, as in gpu.type=A10"

    def test_below_a_value_are_refused(self) -> None:
        assert problem("gpu.type.name=A10") == "--set 'gpu.type.name=A10': gpu.type has no fields"

    @pytest.mark.parametrize("value", ["[", "{a: 1, a: 2}", "*x", ".nan", "!!int x", "!!python/name:os.system"])
    def test_whose_value_is_no_yaml_are_named(self, value: str) -> None:
        assert problem(f"gpu.type={value}").startswith(f"--set 'gpu.type={value}': line ")

    def test_reach_nothing_outside_the_spec(self) -> None:
        assert problem("metadata.name=other").startswith("spec.metadata: unknown field")


class TestAnAddressWithASignature:
    """It is as good as a password: what is wrong with it is said without it."""

    @pytest.mark.parametrize(
        ("uri", "said"),
        [
            ("https://host/rows?hidden", "'https://host/rows' needs sha256 beside it"),
            ("https://host/rows?" + "hidden" * 1000, "'https://host/rows': string should have at most 4096 characters"),
            ("http://host/rows?hidden", "'http://host/rows' would be read unencrypted"),
        ],
    )
    def test_is_not_repeated(self, uri: str, said: str) -> None:
        line = problem(f"dataset.uri={uri}")
        assert said in line
        assert "hidden" not in line

    def test_is_taken_with_a_checksum(self) -> None:
        uri = "https://host/rows.jsonl?X-Amz-Signature=abc"
        assert job(f"dataset.uri={uri}", f"dataset.sha256={'a' * 64}").spec.dataset.uri == uri
        changes = (f"dataset.validation.uri={uri}", f"dataset.validation.sha256={'b' * 64}")
        assert job(*changes).spec.dataset.validation == DataLocation(uri=uri, sha256="b" * 64)

    @pytest.mark.parametrize("role", ["model", "output"])
    def test_is_for_datasets_alone(self, role: str) -> None:
        line = problem(f"{role}.uri=https://host/model?hidden")
        assert f"spec.{role}.uri: 'https://host/model' can only be a dataset" in line
        assert "hidden" not in line


class TestRelativeLocations:
    @pytest.mark.parametrize(
        ("written", "path"),
        [
            ("file:rows.jsonl", "rows.jsonl"),
            ("file:./rows.jsonl", "rows.jsonl"),
            ("file:data/rows.jsonl", "data/rows.jsonl"),
            ("file:my%20rows.jsonl", "my rows.jsonl"),
            ("file:my rows.jsonl", "my rows.jsonl"),
            ("file:数据.jsonl", "数据.jsonl"),
            ("file:run#1.jsonl", "run#1.jsonl"),
        ],
    )
    @pytest.mark.parametrize("folder", ["/home/me/jobs", "/home/me/my jobs", "/home/me/job #1", "/a%20b", "/a?b/数据"])
    def test_are_relative_to_the_folder_of_the_job(self, written: str, path: str, folder: str) -> None:
        read = read_job(JOB.replace("s3://datasets/support.jsonl", written), base=folder)
        assert parse_uri(read.spec.dataset.uri) == FileUri(f"{folder}/{path}")

    def test_work_for_every_location_and_in_overrides(self) -> None:
        spec = read_job(
            JOB,
            ["model.uri=file:base", "dataset.validation.uri=file:held-out.jsonl", "output.uri=file:out"],
            base="/jobs",
        ).spec
        assert isinstance(spec.dataset.validation, Location)
        uris = (spec.model.uri, spec.dataset.validation.uri, spec.output.uri)
        assert uris == ("file:///jobs/base", "file:///jobs/held-out.jsonl", "file:///jobs/out")

    @pytest.mark.parametrize("uri", ["file:///data/rows.jsonl", "file:/data/rows.jsonl"])
    def test_absolute_ones_stay_as_they_are(self, uri: str) -> None:
        read = read_job(JOB.replace("s3://datasets/support.jsonl", uri), base="/jobs")
        assert parse_uri(read.spec.dataset.uri) == FileUri("/data/rows.jsonl")

    def test_mean_nothing_without_a_folder(self) -> None:
        assert "is not an absolute file location" in problem("dataset.uri=file:rows.jsonl")


def test_the_example_is_a_good_job() -> None:
    example = Path(__file__).parents[3] / "examples" / "quickstart" / "finetunejob.yaml"
    read = read_job(example.read_text(encoding="utf-8"), base=str(example.parent))
    assert read.metadata.name == "quickstart"
