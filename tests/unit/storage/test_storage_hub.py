"""The hub: huggingface_hub's real code against a small hub on loopback, and offline against the cache that it filled.

The library reads its settings from the environment when it is imported, so each case is a process of its own.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reading_hub import COMMIT, reading_hub
from servers import free_port

TOKEN = "hf_" + "hidden"
FILES = {
    "config.json": b"{}",
    "model.safetensors": b"weights",
    "tokenizer.model": b"pieces",
    "chat_template.jinja": b"template",
    "sub/vocab.txt": b"words",
    "pytorch_model.bin": b"a pickle",
    "modeling.py": b"code",
    "consolidated.safetensors": b"weights once more",
    "data/train.jsonl": b"{}\n",
}
PARTS = {
    "README.md": b"---\nconfigs: []\n---\n",
    "script.py": b"code",
    "data/train-00000-of-00002.jsonl": b'{"a": 1}\n',
    "data/train-00001-of-00002.jsonl": b'{"a": 2}\n',
    "data/test_sft-00000-of-00001.jsonl": b'{"a": 3}\n',
    "data/validation-00000-of-00001.jsonl": b'{"a": 4}\n',
    "v1.0/zh/train.csv": b"a\n5\n",
    "v1.0/zh/测试.csv": b"a\n6\n",
}
REPOSITORIES = {"org/name": FILES, "org/private": FILES, "org/parts": PARTS}

Fetch = Callable[..., tuple[str, str]]


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    with reading_hub(REPOSITORIES, private={"org/private": TOKEN}) as server:
        yield server.url


@pytest.fixture
def run(hub: str, tmp_path: Path) -> Fetch:
    """Fetch in a new process: the path or message that comes of it, and the class of the error or an empty string."""

    def run(
        uri: str, credentials: str = "", weights: bool = True, split: str = "train", **settings: str
    ) -> tuple[str, str]:
        code = (
            "import sys\n"
            "from finetune_core.contract import Place\n"
            "from finetune_core.errors import FinetuneError\n"
            "from finetune_storage import fetch, fetch_dataset\n"
            "from pathlib import Path\n"
            "place = Place(uri=sys.argv[1], credentials=sys.argv[2] or None)\n"
            "try:\n"
            "    if place.uri.startswith('hf://datasets/'):\n"
            "        data = fetch_dataset(place, Path('unused'), split=sys.argv[4])\n"
            "        print('', data.source, *[file.path for file in data.files], sep='|')\n"
            "    else: print('', fetch(place, Path('unused'), weights=sys.argv[3] == 'True'), sep='|')\n"
            "except FinetuneError as error: print(type(error).__name__, error, sep='|')\n"
        )
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        environment |= {"HF_HOME": str(tmp_path / "hub"), "HF_ENDPOINT": hub, "HF_HUB_DISABLE_TELEMETRY": "1"}
        result = subprocess.run(
            [sys.executable, "-c", code, uri, credentials, str(weights), split],
            env=environment | settings,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        assert TOKEN not in result.stdout + result.stderr
        assert result.stdout.count("\n") == 1
        reason, _, said = result.stdout.strip().partition("|")
        return said, reason

    return run


def files(folder: str) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()
    }


def test_a_model_comes_without_pickles_and_code_and_is_found_offline(run: Fetch, tmp_path: Path) -> None:
    wanted = {"config.json", "tokenizer.model", "chat_template.jinja", "sub/vocab.txt"}
    path, reason = run("hf://org/name", weights=False)
    assert reason == ""
    assert files(path) == {name: FILES[name] for name in wanted}
    assert run("hf://org/name") == (path, "")
    assert files(path) == {name: FILES[name] for name in (*wanted, "model.safetensors")}
    assert not (tmp_path / "unused").exists()

    nobody = f"http://127.0.0.1:{free_port()}"
    assert run("hf://org/name", HF_HUB_OFFLINE="1", HF_ENDPOINT=nobody) == (path, "")
    assert run("hf://org/name", HF_ENDPOINT=nobody) == (path, "")

    (Path(path) / "tokenizer.model").unlink()
    said, reason = run("hf://org/name", HF_HUB_OFFLINE="1", HF_ENDPOINT=nobody)
    assert reason == "StorageError"
    assert said.startswith("hf://org/name is not whole in the cache")


def test_a_cache_that_someone_laid_out_is_used_offline(run: Fetch, tmp_path: Path) -> None:
    repo = tmp_path / "hub" / "hub" / "models--org--name"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(COMMIT)
    (repo / "snapshots" / COMMIT).mkdir(parents=True)
    (repo / "snapshots" / COMMIT / "config.json").write_text("{}")
    for uri in ("hf://org/name", "hf://org/name@main", f"hf://org/name@{COMMIT}"):
        assert run(uri, HF_HUB_OFFLINE="1") == (str(repo / "snapshots" / COMMIT), "")


def dataset(run: Fetch, uri: str, **options: str) -> tuple[str, dict[str, bytes]]:
    """Where the dataset came from, and its files by their path in the repository, in their order."""
    told, reason = run(uri, **options)
    assert reason == "", told
    source, *paths = told.split("|")
    return source, {path.partition(f"/snapshots/{COMMIT}/")[2]: Path(path).read_bytes() for path in paths}


def test_a_file_of_a_dataset(run: Fetch) -> None:
    uri = "hf://datasets/org/name/data/train.jsonl"
    found = (f"hf://datasets/org/name@{COMMIT}/data/train.jsonl", {"data/train.jsonl": FILES["data/train.jsonl"]})
    assert dataset(run, uri) == found
    assert dataset(run, uri, HF_HUB_OFFLINE="1") == found
    assert dataset(run, f"hf://datasets/org/name@{COMMIT}/data/train.jsonl") == found


@pytest.mark.parametrize(
    ("path", "split", "names"),
    [
        ("/data", "train", ["data/train-00000-of-00002.jsonl", "data/train-00001-of-00002.jsonl"]),
        ("/data/train", "validation", ["data/train-00000-of-00002.jsonl", "data/train-00001-of-00002.jsonl"]),
        ("/data", "validation", ["data/validation-00000-of-00001.jsonl"]),
        ("/validation", "train", ["data/validation-00000-of-00001.jsonl"]),
        ("/val", "train", ["data/validation-00000-of-00001.jsonl"]),
        ("@main/test_sft", "train", ["data/test_sft-00000-of-00001.jsonl"]),
        ("/v1.0/zh/train", "train", ["v1.0/zh/train.csv"]),
        ("/v1.0/zh/测试.csv", "train", ["v1.0/zh/测试.csv"]),
        ("/v1.0/zh/测试集", "train", ["v1.0/zh/测试.csv"]),
    ],
)
def test_a_split_or_a_folder_of_a_dataset(run: Fetch, path: str, split: str, names: list[str]) -> None:
    source, found = dataset(run, f"hf://datasets/org/parts{path}", split=split)
    assert source == f"hf://datasets/org/parts@{COMMIT}{path.removeprefix('@main')}"
    assert list(found.items()) == [(name, PARTS[name]) for name in names]


def test_a_dataset_is_its_training_data(run: Fetch) -> None:
    assert dataset(run, "hf://datasets/org/name") == (
        f"hf://datasets/org/name@{COMMIT}", {"data/train.jsonl": FILES["data/train.jsonl"]}
    )  # fmt: skip


def test_a_file_that_repositories_of_the_cache_share(run: Fetch, tmp_path: Path) -> None:
    """As the library lays out what came by Xet: the blob of the repository is a link to one of the whole cache."""
    cache = tmp_path / "hub" / "hub"
    repo = cache / "datasets--org--name"
    for folder in (cache / "blobs" / "ab", repo / "blobs", repo / "snapshots" / COMMIT):
        folder.mkdir(parents=True)
    (cache / "blobs" / "ab" / "abcd").write_bytes(b"{}\n")
    (repo / "blobs" / "etag").symlink_to("../../blobs/ab/abcd")
    (repo / "snapshots" / COMMIT / "a.jsonl").symlink_to("../../blobs/etag")
    assert dataset(run, f"hf://datasets/org/name@{COMMIT}/a.jsonl")[1] == {"a.jsonl": b"{}\n"}


def test_a_cache_whose_links_lead_out_of_it(run: Fetch, tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text("hidden")
    snapshot = tmp_path / "hub" / "hub" / "datasets--org--name" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "a.jsonl").symlink_to(tmp_path / "secret.jsonl")
    said, reason = run(f"hf://datasets/org/name@{COMMIT}/a.jsonl")
    assert reason == "StorageError"
    assert "a.jsonl leads out of " in said


def test_a_dataset_over_the_limit_is_not_downloaded(run: Fetch, tmp_path: Path) -> None:
    for path in ("data", "data/train-00000-of-00002.jsonl"):
        said, reason = run(f"hf://datasets/org/parts/{path}", FINETUNE_MAX_DATASET_BYTES="5")
        assert (reason, "bytes, and the limit is 5: train on a part of it" in said) == ("StorageError", True)
    assert list((tmp_path / "hub").rglob("*.jsonl")) == []


def test_the_token_of_the_credentials_opens_a_private_model(run: Fetch, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "HF_TOKEN").write_text(f"{TOKEN}\n")
    path, reason = run("hf://org/private", credentials=str(tmp_path / "secret"))
    assert reason == ""
    assert files(path)["config.json"] == b"{}"


@pytest.mark.parametrize(
    ("uri", "reason", "said"),
    [
        ("hf://org/missing", "NotFound", "the hub shows no hf://org/missing: check the name, or give HF_TOKEN"),
        ("hf://org/private", "NotFound", "the hub shows no hf://org/private: check the name, or give HF_TOKEN"),
        ("hf://org/gated", "StorageError", "hf://org/gated is gated: accept its terms on the hub, and give HF_TOKEN"),
        ("hf://org/name@v9", "NotFound", "the hub has no such revision of hf://org/name@v9: name a branch"),
        ("hf://org/failing", "StorageError", "hf://org/failing: the hub answered 500: check HF_TOKEN, and try again"),
        ("hf://org/na..me", "NotFound", "the hub can have no hf://org/na..me: check the name"),
        ("hf://datasets/org/name/x.jsonl", "NotFound", "the hub has no such file, hf://datasets/org/name/x.jsonl"),
        ("hf://datasets/org/missing/x.jsonl", "NotFound", "the hub shows no hf://datasets/org/missing/x.jsonl"),
        ("hf://datasets/org/gated/x.jsonl", "StorageError", "hf://datasets/org/gated/x.jsonl is gated"),
        ("hf://datasets/org/missing", "NotFound", "the hub shows no hf://datasets/org/missing"),
        ("hf://datasets/org/gated/train", "StorageError", "hf://datasets/org/gated/train is gated"),
        ("hf://datasets/org/failing", "StorageError", "hf://datasets/org/failing: the hub answered 500"),
        ("hf://datasets/org/name@v9", "NotFound", "the hub has no such revision of hf://datasets/org/name@v9"),
        (
            "hf://datasets/org/parts/data/dev2", "NotFound",
            "hf://datasets/org/parts/data/dev2 has no split 'dev2': there are the splits test_sft, train, validation",
        ),
        (
            "hf://datasets/org/parts", "StorageError",
            "hf://datasets/org/parts holds files of several kinds (.csv, .jsonl): name one file",
        ),
    ],
)  # fmt: skip
def test_what_the_hub_refuses(run: Fetch, uri: str, reason: str, said: str) -> None:
    message, error = run(uri)
    assert (error, message[: len(said)]) == (reason, said)


@pytest.mark.parametrize("uri", ["hf://org/name", "hf://datasets/org/name/data/train.jsonl"])
def test_what_the_cache_lacks_offline(run: Fetch, tmp_path: Path, uri: str) -> None:
    assert run(uri, HF_HUB_OFFLINE="1") == (
        f"{uri} is not whole in the cache {tmp_path}/hub/hub, and HF_HUB_OFFLINE forbids to download it: "
        "download it there once, or unset HF_HUB_OFFLINE",
        "StorageError",
    )


def test_what_only_the_hub_can_tell_offline(run: Fetch) -> None:
    said, reason = run("hf://datasets/org/parts", HF_HUB_OFFLINE="1")
    assert reason == "StorageError"
    assert said.endswith("HF_HUB_OFFLINE forbids to ask: name a file, such as hf://datasets/org/parts/train.jsonl")


def test_a_hub_that_nobody_listens_on(run: Fetch) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    message, error = run("hf://org/name", HF_ENDPOINT=nobody)
    assert error == "StorageError"
    assert message.startswith(f"hf://org/name: no answer from {nobody} (ConnectError): check the network")


def test_a_cache_without_space(run: Fetch, full_volume: Path) -> None:
    (full_volume / "filler").write_bytes(bytes(2**20 - 8192))
    message, error = run("hf://org/name", HF_HOME=str(full_volume / "hub"))
    assert error == "StorageError"
    assert message.startswith("no space is left for ")
