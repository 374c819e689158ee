"""Job files from disk, and the folders that stand for Secrets on this machine."""

from pathlib import Path

import pytest
from command import write_job
from jobs import JOB

from finetune_cli.job_file import LARGEST_JOB_BYTES, load_job, place_of
from finetune_core.api import Location
from finetune_core.api.location import DataLocation
from finetune_core.errors import InvalidSpec, SecretMissing


class TestLoadJob:
    def test_reads_the_file_with_its_overrides(self, tmp_path: Path) -> None:
        job = load_job(write_job(tmp_path), ["gpu.type=L4"])
        assert (job.metadata.name, job.spec.gpu.type) == ("support-bot", "L4")

    def test_takes_a_byte_order_mark_and_windows_line_ends(self, tmp_path: Path) -> None:
        path = tmp_path / "job.yaml"
        path.write_bytes(b"\xef\xbb\xbf" + JOB.replace("\n", "\r\n").encode())
        assert load_job(path, []).metadata.name == "support-bot"

    def test_relative_locations_are_relative_to_the_file_and_not_to_where_one_stands(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "my jobs #1"
        folder.mkdir()
        write_job(folder, JOB.replace("s3://datasets/support.jsonl", "file:rows.jsonl"))
        monkeypatch.chdir(tmp_path)
        job = load_job(Path("my jobs #1/job.yaml"), [])
        assert job.spec.dataset.uri == f"file://{tmp_path}/my%20jobs%20%231/rows.jsonl"

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "not a FineTuneJob: expected apiVersion, kind, metadata and spec"),
            (b"\x00\x01\x02\xff", "not a text file in UTF-8"),
            (JOB.encode("utf-16"), "not a text file in UTF-8"),
            (b"#" * (LARGEST_JOB_BYTES + 1), "1,500,001 bytes are too many for a job file"),
            (b"a: [", "line 2: not YAML: did not find expected node content"),
        ],
        ids=["empty", "binary", "utf-16", "large", "not yaml"],
    )
    def test_names_the_file_in_what_is_wrong(self, tmp_path: Path, content: bytes, message: str) -> None:
        path = tmp_path / "job.yaml"
        path.write_bytes(content)
        with pytest.raises(InvalidSpec) as caught:
            load_job(path, [])
        assert str(caught.value) == f"{path}: {message}"

    def test_names_the_file_in_each_line(self, tmp_path: Path) -> None:
        path = write_job(tmp_path, JOB.replace("A10", "5").replace("output:", "outputs:"))
        with pytest.raises(InvalidSpec) as caught:
            load_job(path, [])
        lines = str(caught.value).splitlines()
        assert [line.split(": ")[1] for line in lines] == ["spec.gpu.type", "spec.output", "spec.outputs"]
        assert all(line.startswith(f"{path}: ") for line in lines)

    @pytest.mark.parametrize(
        ("name", "message"), [("missing.yaml", "No such file or directory"), (".", "Is a directory")]
    )
    def test_says_what_is_no_file(self, tmp_path: Path, name: str, message: str) -> None:
        with pytest.raises(InvalidSpec, match=message):
            load_job(tmp_path / name, [])


class TestPlaceOf:
    @pytest.fixture(autouse=True)
    def secrets(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        folder = tmp_path / "finetune-operator" / "secrets"
        folder.mkdir(parents=True)
        return folder

    def test_without_a_secret_is_this_persons_own_identity(self) -> None:
        place = place_of(Location(uri="s3://bucket/a", endpoint_url="https://s3.local", region="eu-1"))
        assert (place.uri, place.credentials) == ("s3://bucket/a", None)
        assert (place.endpoint_url, place.region) == ("https://s3.local", "eu-1")

    @pytest.mark.parametrize(
        ("uri", "kind"), [("pvc://claim/rows.jsonl", "volume"), ("configmap://faq/rows.jsonl", "ConfigMap")]
    )
    def test_in_a_cluster_says_what_to_write(self, uri: str, kind: str) -> None:
        with pytest.raises(InvalidSpec) as caught:
            place_of(DataLocation(uri=uri))
        assert str(caught.value) == (
            f"{uri} is a {kind} of a cluster: ftj run needs file:PATH, a folder or file of this machine"
        )

    def test_with_a_secret_is_the_folder_of_that_name(self, secrets: Path) -> None:
        (secrets / "store").mkdir()
        assert place_of(Location(uri="s3://bucket/a", secret_name="store")).credentials == str(secrets / "store")

    def test_lies_in_the_home_where_no_other_place_is_set(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("XDG_CONFIG_HOME")
        monkeypatch.setenv("HOME", str(tmp_path))
        folder = tmp_path / ".config" / "finetune-operator" / "secrets" / "store"
        folder.mkdir(parents=True)
        assert place_of(Location(uri="s3://bucket/a", secret_name="store")).credentials == str(folder)

    def test_with_a_secret_that_is_not_there_says_where_its_folder_goes(self, secrets: Path) -> None:
        with pytest.raises(SecretMissing) as caught:
            place_of(Location(uri="s3://bucket/a", secret_name="store"))
        assert str(caught.value).startswith(f"secretName 'store': no folder {secrets / 'store'}; put its keys there")
        assert "or leave secretName out" in str(caught.value)
