"""Pushing to the hub: huggingface_hub's real code against a small hub on loopback.

The library reads its settings from the environment when it is imported, so each push is a process of its own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub_server import HubServer, hub_server
from servers import free_port

TOKEN = "hf_" + "hidden"
README = "---\nbase_model: org/base\n---\n\n# 客服\n"

Push = Callable[..., tuple[str, str]]


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with hub_server(TOKEN) as server:
        yield server


@pytest.fixture
def push(hub: HubServer, tmp_path: Path) -> Push:
    """Push folders: the address or the message that comes of it, and the class of the error or an empty string."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "HF_TOKEN").write_text(TOKEN)

    def push(uri: str, folders: dict[str, dict[str, str]], token: str = TOKEN, **settings: str) -> tuple[str, str]:
        (secret / "HF_TOKEN").write_text(token)
        local = {}
        for number, (inside, files) in enumerate(folders.items()):
            local[inside] = str(tmp_path / f"local-{len(list(tmp_path.iterdir()))}-{number}")
            for name, text in files.items():
                path = Path(local[inside], name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        code = (
            "import json, sys\n"
            "from pathlib import Path\n"
            "from finetune_core.contract import Place\n"
            "from finetune_core.errors import FinetuneError\n"
            "from finetune_storage import push\n"
            "folders = {inside: Path(folder) for inside, folder in json.loads(sys.argv[3]).items()}\n"
            "try: print('', push(Place(uri=sys.argv[1], credentials=sys.argv[2]), folders, 'a title'), sep='|')\n"
            "except FinetuneError as error: print(type(error).__name__, error, sep='|')\n"
        )
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        environment |= {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_TELEMETRY": "1"}
        result = subprocess.run(
            [sys.executable, "-c", code, uri, str(secret), json.dumps(local)],
            env=environment | {"HF_HUB_DISABLE_XET": "1"} | settings,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        assert TOKEN not in result.stdout + result.stderr
        assert result.stdout.count("\n") == 1
        reason, _, said = result.stdout.strip().partition("|")
        return said, reason

    return push


def files(hub: HubServer, repo: str, branch: str = "main") -> dict[str, str]:
    return {path: data.decode() for path, data in sorted(hub.repositories[repo].branches[branch].items())}


def test_a_new_repository_is_private_and_holds_the_folder(push: Push, hub: HubServer) -> None:
    folder = {"README.md": README, "adapter_model.safetensors": "weights", "sub/词表.txt": "词"}
    assert push("hf://org/name", {"": folder}) == (f"{hub.url}/org/name", "")
    assert hub.repositories["org/name"].private
    assert files(hub, "org/name") == folder
    assert hub.repositories["org/name"].commits == ["a title"]


def test_a_second_push_replaces_the_weights_of_the_first_and_leaves_the_rest(push: Push, hub: HubServer) -> None:
    first = {"model-00001-of-00002.safetensors": "1", "model.safetensors.index.json": "{}", "adapter_config.json": "{}"}
    push("hf://org/name", {"": first | {"LICENSE": "mine", "README.md": README}})
    hub.repositories["org/name"].private = False
    second = {"model.safetensors": "2", "README.md": README + "more"}
    beside = {"adapter_model.safetensors": "3", "adapter_config.json": "{}"}
    assert push("hf://org/name", {"": second, "adapter": beside}) == (f"{hub.url}/org/name", "")
    inside = {f"adapter/{name}": text for name, text in beside.items()}
    assert files(hub, "org/name") == dict(sorted((second | inside | {"LICENSE": "mine"}).items()))
    assert not hub.repositories["org/name"].private


def test_a_branch_is_made(push: Push, hub: HubServer) -> None:
    for content in ("1", "2"):
        said = push("hf://org/name@v1", {"": {"model.safetensors": content}})
        assert said == (f"{hub.url}/org/name/tree/v1", "")
        assert files(hub, "org/name", "v1") == {"model.safetensors": content}
    assert files(hub, "org/name") == {}


@pytest.mark.parametrize(
    ("uri", "settings", "reason", "said"),
    [
        ("hf://org/name", {"token": "hf_other"}, "StorageError", "hf://org/name: the hub answered 401: check HF_TOKEN"),
        ("hf://their/name", {}, "StorageError", "hf://their/name: the hub answered 403: check HF_TOKEN"),
        ("hf://org/name", {"HF_HUB_OFFLINE": "1"}, "StorageError", "hf://org/name: HF_HUB_OFFLINE forbids to push"),
        ("s3://bucket/name", {}, "InvalidSpec", "s3://bucket/name is no repository of the hub: write hf://org/name"),
    ],
)
def test_what_is_refused(push: Push, uri: str, settings: dict[str, str], reason: str, said: str) -> None:
    message, error = push(uri, {"": {"README.md": README}}, **settings)
    assert (error, message[: len(said)]) == (reason, said)


def test_a_card_that_the_hub_refuses_is_named(push: Push) -> None:
    message, error = push("hf://org/name", {"": {"README.md": "---\nbase_model: /a/path\n---\n"}})
    assert error == "StorageError"
    assert " did not take it (ValueError)" in message


def test_a_hub_that_nobody_listens_on(push: Push) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    message, error = push("hf://org/name", {"": {"README.md": README}}, HF_ENDPOINT=nobody)
    assert error == "StorageError"
    assert message.startswith(f"hf://org/name: {nobody} did not take it (ConnectError): check the network")
