"""``ftj run``: what ends it before anything is trained, and how it knows its own work again."""

import importlib.util
import json
from pathlib import Path

import pytest
from command import ftj, refusal, write_job
from jobs import JOB, job

from finetune_cli.job_file import load_job
from finetune_cli.run import _with_output, job_uid
from finetune_core.api import Output, read_job
from finetune_core.contract import Manifest, RunReport
from finetune_core.contract.manifest import ManifestFile

LOCAL_JOB = (
    JOB.replace("hf://Qwen/Qwen2.5-7B-Instruct", "file:base-model")
    .replace("s3://datasets/support.jsonl", "file:rows.jsonl")
    .replace("s3://models/support-bot", "file:output")
    .replace("A10", "cpu")
)
CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "vocab_size": 256,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A job whose places are all in its folder; nothing but the model's config.json is there yet."""
    write_job(tmp_path, LOCAL_JOB)
    (tmp_path / "base-model").mkdir()
    (tmp_path / "base-model" / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    return tmp_path


def finished(output: Path, name: str, uid: str, kind: str = "adapter") -> Path:
    """An output place that holds that job's finished model."""
    output.mkdir()
    (output / kind).mkdir()
    (output / kind / "weights.safetensors").write_bytes(b"precious")
    report = RunReport(
        job_name=name, job_uid=uid, steps=12, train_loss=0.25, supervised_tokens=1, seconds=3, versions={}
    )
    (output / "run-report.json").write_text(report.to_json(), encoding="utf-8")
    file = ManifestFile(path=f"{kind}/weights.safetensors", size_bytes=8, sha256="0" * 64)
    manifest = Manifest(job_name=name, job_uid=uid, files=[file])
    (output / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    return output


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["missing.yaml"], "missing.yaml: No such file or directory"),
            (["."], ".: Is a directory"),
            (["job.yaml", "--set", "gpu.typ=A10"], "job.yaml: spec.gpu.typ: unknown field; did you mean type?"),
            (["job.yaml", "--set", "gpu.type=A1000"], "unknown GPU 'A1000'"),
            (["job.yaml", "--set", "gpu.nodes=2"], "gpu.nodes is 2, and this is one machine: add --set gpu.nodes=1"),
            (["job.yaml", "--set", "output.uri=hf://a/b"], "job.yaml: spec.output: 'hf://a/b' cannot be written to"),
            (["job.yaml", "--set", "model.secretName=keys"], "secretName 'keys': no folder "),
            (["job.yaml", "--set", "dataset.secretName=keys"], "secretName 'keys': no folder "),
            (["job.yaml", "--set", "output.secretName=keys"], "secretName 'keys': no folder "),
            (
                ["job.yaml", "--set", "dataset.uri=pvc://data/rows.jsonl"],
                "pvc://data/rows.jsonl is a volume of a cluster: ftj run needs file:PATH",
            ),
            (
                ["job.yaml", "--set", "output.uri=pvc://models"],
                "pvc://models is a volume of a cluster: ftj run needs file:PATH",
            ),
            (
                ["job.yaml", "--set", "dataset.validation={uri: s3://held/out.jsonl, secretName: keys}"],
                "secretName 'keys': no folder ",
            ),
        ],
        ids=str,
    )
    def test_ends_at_once_and_leaves_nothing_behind(self, folder: Path, arguments: list[str], message: str) -> None:
        before = contents(folder)
        assert refusal(folder, 2, "run", *arguments).startswith(message)
        assert contents(folder) == before
        assert not (folder / "output").exists()

    @pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the trainer is not installed")
    def test_a_dataset_that_is_not_there_is_named(self, folder: Path) -> None:
        ended = ftj(folder, "run", "job.yaml")
        assert ended.returncode == 2
        assert ended.stderr.splitlines() == [
            "fetching the tokenizer",
            "fetching the dataset",
            f"ftj: nothing lies at {folder}/rows.jsonl: check the path",
        ]
        assert ended.stdout == ""
        assert not (folder / "output").exists()
        assert not [path for path in (folder / "cache").rglob("*") if path.is_file()]


class TestAnOutputThatIsTaken:
    def test_by_another_jobs_model_is_refused_and_left_as_it_is(self, folder: Path) -> None:
        before = contents(finished(folder / "output", "other", "5b0f3f0a"))
        line = refusal(folder, 2, "run", "job.yaml")
        assert line == (
            f"file://{folder}/output holds the finished model of job 'other'; choose another output.uri for "
            "'support-bot', or set output.overwrite: true"
        )
        assert contents(folder / "output") == before

    def test_by_an_earlier_form_of_the_same_job_is_refused_too(self, folder: Path) -> None:
        finished(folder / "output", "support-bot", "5b0f3f0a")
        assert "holds the finished model of job 'support-bot'" in refusal(folder, 2, "run", "job.yaml")

    def test_named_on_the_command_line_is_looked_at_as_well(self, folder: Path) -> None:
        finished(folder / "elsewhere", "other", "5b0f3f0a")
        assert "elsewhere holds the finished model" in refusal(folder, 2, "run", "job.yaml", "--output", "elsewhere")

    @pytest.mark.parametrize("content", ["{}", "not json", '{"name": "my web app"}'])
    def test_by_a_strangers_manifest_is_refused(self, folder: Path, content: str) -> None:
        (folder / "output").mkdir()
        (folder / "output" / "manifest.json").write_text(content, encoding="utf-8")
        assert "a manifest.json lies there that this program did not write" in refusal(folder, 2, "run", "job.yaml")
        assert contents(folder / "output") == {"manifest.json": content.encode()}

    @pytest.mark.parametrize("kind", ["adapter", "model"])
    def test_by_its_own_finished_model_is_shown_again_and_nothing_is_trained(self, folder: Path, kind: str) -> None:
        uid = job_uid(load_job(folder / "job.yaml", []))
        before = contents(finished(folder / "output", "support-bot", uid, kind))
        ended = ftj(folder, "run", "job.yaml")
        assert (ended.returncode, ended.stdout) == (0, "")
        assert "support-bot has finished before; output.overwrite=true would train it again" in ended.stderr
        assert "support-bot: 12 steps in 3 s" in ended.stderr
        assert f"{folder}/output/{kind}" in ended.stderr
        assert f"{folder}/output/report.html" in ended.stderr
        assert contents(folder / "output") == before


def test_another_folder_for_the_output_leaves_what_is_asked_of_it() -> None:
    asked = job("output.secretName=keys", "output.export=both", "output.overwrite=true", "output.region=eu-1")
    output = _with_output(asked, Path("/elsewhere")).spec.output
    assert output == Output(uri="file:///elsewhere", export="both", overwrite=True)
    asked = job("output.secretName=keys", "output.push=hf://org/name")
    output = _with_output(asked, Path("/elsewhere")).spec.output
    assert output == Output(uri="file:///elsewhere", push="hf://org/name", secret_name="keys")


class TestJobUid:
    def test_stays_as_long_as_the_job_does(self) -> None:
        assert job_uid(job()) == job_uid(read_job(f"# a comment\n{JOB}"))

    def test_leaves_overwrite_out(self) -> None:
        assert job_uid(job("output.overwrite=true")) == job_uid(job())

    @pytest.mark.parametrize(
        "change",
        ["gpu.type=L4", "hyperparameters.seed=1", "model.uri=hf://Qwen/Qwen3-8B", "output.uri=s3://models/other"],
    )
    def test_is_another_for_another_spec(self, change: str) -> None:
        assert job_uid(job(change)) != job_uid(job())

    def test_is_another_for_another_name(self) -> None:
        renamed = job().model_copy(update={"metadata": job().metadata.model_copy(update={"name": "other"})})
        assert job_uid(renamed) != job_uid(job())
