"""A model from the hub: which commit it is, how far its download is, and one cache for several pods."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from finetune_core.contract import Place
from finetune_storage import is_shared, revision_of
from reading_hub import COMMIT, reading_hub

SHARD = 12 * 2**20  # the library reads 10 MiB at a time
FILES = {f"model-0000{number}-of-00003.safetensors": bytes([number]) * SHARD for number in (1, 2, 3)} | {
    "config.json": b"{}",
    "tokenizer.json": b"[]",
}

FETCH = """
import json, sys
from pathlib import Path
from finetune_core.contract import Place
from finetune_core.errors import FinetuneError
from finetune_storage import fetch, hub, meter, revision_of
meter.TELL_SECONDS = 0
place, told = Place(uri="hf://org/name"), []
print("ready", flush=True)
for line in sys.stdin:
    weights = json.loads(line)
    try:
        path = fetch(place, Path("unused"), weights, lambda *numbers: told.append(numbers))
        answer = {"path": str(path), "revision": revision_of(place, path), "told": told}
    except FinetuneError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
    told.clear()
"""


class Pod:
    """A process with its own home and the shared cache; it fetches when it is told to."""

    def __init__(self, hub: str, cache: Path, home: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        environment |= {"HOME": str(home), "HF_ENDPOINT": hub, "HF_HUB_CACHE": str(cache)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", FETCH],
            env=environment | {"HF_HUB_DISABLE_TELEMETRY": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Pod":
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0

    def ask(self, weights: bool = True) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{json.dumps(weights)}\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def fetch(self, weights: bool = True) -> dict[str, Any]:
        self.ask(weights)
        return self.answer()


def test_the_commit_and_how_much_of_what_is_missing_has_come(tmp_path: Path) -> None:
    with reading_hub({"org/name": FILES}) as hub, Pod(hub.url, tmp_path / "cache", tmp_path / "a") as pod:
        without = pod.fetch(weights=False)
        whole = pod.fetch()
        again = pod.fetch()
        Path(whole["path"], "model-00002-of-00003.safetensors").resolve().unlink()
        Path(whole["path"], "model-00002-of-00003.safetensors").unlink()
        missing = pod.fetch()
    assert {each["revision"] for each in (without, whole, again, missing)} == {COMMIT}
    come = [number for number, _ in whole["told"]]
    assert come == sorted(come)
    assert len(come) >= 6
    assert (come[-1], {total for _, total in whole["told"]}) == (3 * SHARD, {3 * SHARD})
    assert again["told"] == []
    assert missing["told"][-1] == [SHARD, SHARD]


def test_pods_that_fetch_a_model_at_once_download_each_file_once(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with (
        reading_hub({"org/name": FILES}, before=lambda _: time.sleep(1)) as hub,
        Pod(hub.url, cache, tmp_path / "a") as one,
        Pod(hub.url, cache, tmp_path / "b") as other,
    ):
        one.ask()
        other.ask()
        paths = {one.answer()["path"], other.answer()["path"]}
        assert len(paths) == 1
        assert {path.name: path.read_bytes() for path in Path(paths.pop()).iterdir()} == FILES
        assert sorted(hub.given) == sorted(FILES)


def test_a_cache_that_is_closed_to_us(tmp_path: Path, full_volume: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", full_volume], check=True)
    with reading_hub({"org/name": FILES}) as hub, Pod(hub.url, full_volume, tmp_path / "a") as pod:
        said = pod.fetch()["error"]
    assert "is closed to us (Read-only file system)" in said
    assert said.endswith(f"allow user {os.geteuid()} to read and write there")


def test_only_the_hubs_models_stay_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub, store = Place(uri="hf://org/name"), Place(uri="s3://bucket/name")
    assert not is_shared(hub)
    monkeypatch.setenv("FINETUNE_MODEL_CACHE", str(tmp_path))
    assert is_shared(hub)
    assert not is_shared(store)
    assert revision_of(store, tmp_path / "name") is None
