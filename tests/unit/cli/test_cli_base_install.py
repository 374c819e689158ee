"""``ftj`` as it is without the extras: planning and checking work, training says what to install."""

import gzip
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command import write_job
from jobs import JOB

PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
IMPORT_NAMES = {"torch-optimi": "optimi", "prometheus-client": "prometheus_client"}
"""Where it is not the name of the distribution."""
LEFT_OUT = [
    IMPORT_NAMES.get(name, name)
    for extra in ("trainer", "operator")
    for name in (requirement.partition(">")[0] for requirement in PROJECT["optional-dependencies"][extra])
]
ADVICE = "needs the trainer: pip install 'finetune-operator[trainer]'\n"


def ftj_without(missing: list[str], folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run it where these libraries cannot be imported."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({missing})); sys.argv = {['ftj', *arguments]}\n"
        "from finetune_cli.main import main; main()"
    )
    environment = os.environ | {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), "COLUMNS": "160"}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a job and its data."""
    write_job(tmp_path, JOB)
    rows = "".join(f'{{"instruction": "q{n}", "output": "a{n}"}}\n' for n in range(60))
    (tmp_path / "rows.jsonl").write_text(rows, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [("gpus",), ("plan", "-f", "job.yaml", "--dataset", "rows.jsonl"), ("lint", "rows.jsonl"), ("--version",)],
    ids=" ".join,
)
def test_what_trains_nothing_works(folder: Path, arguments: tuple[str, ...]) -> None:
    ended = ftj_without(LEFT_OUT, folder, *arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout


@pytest.mark.parametrize("missing", [LEFT_OUT, ["torch"], ["boto3"], ["pyarrow"], ["peft"]], ids=str)
def test_training_says_what_to_install(folder: Path, missing: list[str]) -> None:
    ended = ftj_without(missing, folder, "run", "job.yaml")
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"ftj: training on this machine {ADVICE}")
    assert not (folder / "cache").exists()


def test_a_tokenizer_says_what_to_install(folder: Path) -> None:
    ended = ftj_without(LEFT_OUT, folder, "lint", "rows.jsonl", "--tokenizer", "hf://Qwen/Qwen2.5-7B-Instruct")
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"ftj: --tokenizer {ADVICE}")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PAR1" + b"\0" * 8, "is Parquet: pip install 'finetune-operator[trainer]' to read it, or write it as JSONL"),
        (
            b"\x28\xb5\x2f\xfd" + b"\0" * 8,
            "is zstd-compressed: pip install 'finetune-operator[trainer]' to read it, or decompress it first",
        ),
    ],
)
def test_what_needs_pyarrow_says_what_to_install(folder: Path, content: bytes, said: str) -> None:
    (folder / "rows").write_bytes(content)
    ended = ftj_without(LEFT_OUT, folder, "lint", "rows")
    assert (ended.returncode, ended.stderr) == (2, f"ftj: rows: {said}\n")


def test_gzip_and_chinese_encodings_need_no_extra(folder: Path) -> None:
    rows = "".join(f'{{"instruction": "第{n}个问题", "output": "这是第{n}个回答"}}\n' for n in range(60))
    (folder / "rows.jsonl.gz").write_bytes(gzip.compress(rows.encode("gb18030")))
    ended = ftj_without(LEFT_OUT, folder, "lint", "rows.jsonl.gz")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "60 rows read, 60 good" in ended.stdout
    assert "converted from GB18030" in ended.stdout


def test_the_base_is_small() -> None:
    assert [requirement.partition(">")[0] for requirement in PROJECT["dependencies"]] == [
        "numpy",
        "pydantic",
        "pyspellchecker",
        "pyyaml",
        "rich",
        "rjieba",
        "typer",
    ]
