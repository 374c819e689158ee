"""``ftj`` itself, ``ftj gpus`` and the exit codes of ``ftj lint``."""

import json
import subprocess
import tomllib
from pathlib import Path

import pytest
from command import FTJ, ftj, refusal

from finetune_core import __version__
from finetune_core.planning import catalogue

GOOD_ROWS = "".join(
    json.dumps({"instruction": f"问题{n}", "output": f"回答{n}"}, ensure_ascii=False) + "\n" for n in range(60)
)


def test_it_tells_its_version(tmp_path: Path) -> None:
    ended = ftj(tmp_path, "--version")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{__version__}\n", "")


def test_its_version_is_the_packages() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == __version__


def test_help_names_every_command(tmp_path: Path) -> None:
    ended = ftj(tmp_path, "--help")
    assert ended.returncode == 0
    assert {"run", "plan", "lint", "gpus"} <= set(ended.stdout.split())
    assert ended.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Usage: ftj"),
        (["fly"], "No such command 'fly'"),
        (["--fly"], "No such option"),
        (["plan"], "Missing option '--file' / '-f'"),
        (["plan", "-f"], "requires an argument"),
        (["plan", "-f", "job.yaml", "--rows", "0"], "'--rows'"),
        (["plan", "-f", "job.yaml", "--rows", "many"], "'--rows'"),
        (["plan", "-f", "job.yaml", "-o", "xml"], "'xml' is not one of"),
        (["run"], "Missing argument 'JOB.YAML'"),
        (["lint"], "Missing argument"),
        (["gpus", "-o", "xml"], "'xml' is not one of"),
    ],
    ids=str,
)
def test_a_wrong_command_line_says_how_to_write_it(tmp_path: Path, arguments: list[str], message: str) -> None:
    ended = ftj(tmp_path, *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


class TestGpus:
    def test_lists_every_card_on_standard_output(self, tmp_path: Path) -> None:
        ended = ftj(tmp_path, "gpus")
        assert (ended.returncode, ended.stderr) == (0, "")
        first_words = {line.split()[0] for line in ended.stdout.splitlines() if line.strip()}
        assert {gpu.name for gpu in catalogue()} <= first_words

    def test_as_json_lists_the_same(self, tmp_path: Path) -> None:
        ended = ftj(tmp_path, "gpus", "-o", "json")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert [gpu["name"] for gpu in json.loads(ended.stdout)] == [gpu.name for gpu in catalogue()]

    def test_a_reader_that_goes_away_is_no_accident(self) -> None:
        ended = subprocess.run(["bash", "-c", f"'{FTJ}' gpus -o json | true"], capture_output=True, text=True)
        assert ended.stderr == ""


class TestLint:
    @pytest.mark.parametrize("output", ["text", "json"])
    def test_good_data_ends_with_0(self, tmp_path: Path, output: str) -> None:
        (tmp_path / "rows.jsonl").write_text(GOOD_ROWS, encoding="utf-8")
        ended = ftj(tmp_path, "lint", "rows.jsonl", "-o", output)
        assert (ended.returncode, ended.stderr) == (0, "")
        if output == "json":
            assert json.loads(ended.stdout)["usedRows"] == 60
        else:
            assert "60 rows read, 60 good, 0 left out" in ended.stdout

    @pytest.mark.parametrize(
        ("content", "message"),
        [(None, "rows.jsonl: "), ("", "rows.jsonl: is empty"), ("\0\0\0", "rows.jsonl: ")],
        ids=["missing", "empty", "binary"],
    )
    def test_data_that_cannot_be_read_ends_with_2(self, tmp_path: Path, content: str | None, message: str) -> None:
        if content is not None:
            (tmp_path / "rows.jsonl").write_text(content, encoding="utf-8")
        assert refusal(tmp_path, 2, "lint", "rows.jsonl").startswith(message)

    def test_a_folder_ends_with_2(self, tmp_path: Path) -> None:
        assert "is a folder" in refusal(tmp_path, 2, "lint", ".")

    def test_an_enforced_check_ends_with_4_after_the_report(self, tmp_path: Path) -> None:
        (tmp_path / "rows.jsonl").write_text('{"question": "a", "answer": "b"}\n', encoding="utf-8")
        ended = ftj(tmp_path, "lint", "rows.jsonl", "-o", "json")
        assert ended.returncode == 4
        assert json.loads(ended.stdout)["refused"] is True
        (line,) = ended.stderr.splitlines()
        assert line.startswith("ftj: wrong-schema, 1 of 1 rows")
