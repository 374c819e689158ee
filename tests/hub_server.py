"""A hub that takes uploads, on loopback: as much of it as huggingface_hub asks for when it pushes a folder."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from servers import http_server

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Repository:
    """What was pushed to one."""

    private: bool
    branches: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"main": {}})
    """Files by their path, for each branch."""
    commits: list[str] = field(default_factory=list)
    """Titles."""


@dataclass
class HubServer:
    """A running hub with one account, which may write to the organisation ``org``."""

    url: str
    token: str = field(repr=False)
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    """Large files by their SHA-256, before and after they are committed."""


@contextmanager
def hub_server(token: str) -> Iterator[HubServer]:
    """Run it.

    Its limits: models only; one commit id for all; large files by LFS in one part, no Xet (set HF_HUB_DISABLE_XET);
    ``.safetensors`` are large and all else is not; of a README's front matter it checks ``base_model`` alone; a branch
    begins empty; nothing is paged.
    """
    state = HubServer(url="", token=token)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with lock:
                self.answer(*self.posted(unquote(urlsplit(self.path).path), content))

        def do_PUT(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            digest = self.path.rpartition("/")[2]
            good = hashlib.sha256(content).hexdigest() == digest
            with lock:
                if good:
                    state.objects[digest] = content
            self.answer(200 if good else 400, {})

        def do_GET(self) -> None:
            repo, _, rest = unquote(urlsplit(self.path).path).removeprefix("/api/models/").partition("/tree/")
            found = state.repositories.get(repo)
            if found is None or rest not in found.branches:
                self.answer(404, {}, code="RepoNotFound" if found is None else "RevisionNotFound")
                return
            files = found.branches[rest].items()
            tree = [{"type": "file", "path": path, "size": len(data), "oid": "0" * 40} for path, data in files]
            self.answer(200, tree)

        def posted(self, url: str, content: bytes) -> tuple[int, Any]:
            if self.headers.get("Authorization") != f"Bearer {state.token}":
                return 401, {"error": "Invalid credentials"}
            if url == "/api/repos/create":
                return self.created(json.loads(content))
            if url == "/api/validate-yaml":
                return validated(json.loads(content)["content"])
            if url.endswith("/info/lfs/objects/batch"):
                wanted = [entry["oid"] for entry in json.loads(content)["objects"]]
                return 200, {"transfer": "basic", "objects": [self.upload(oid) for oid in wanted]}
            org, name, action, branch = url.removeprefix("/api/models/").split("/", 3)
            repository = state.repositories[f"{org}/{name}"]
            if action == "branch":
                if branch in repository.branches:
                    return 409, {"error": "exists"}
                repository.branches[branch] = {}
                return 200, {}
            if branch not in repository.branches:
                return 404, {"error": "Invalid rev"}
            if action == "preupload":
                files = [file["path"] for file in json.loads(content)["files"]]
                modes = {path: "lfs" if path.endswith(".safetensors") else "regular" for path in files}
                told = [{"path": path, "uploadMode": mode, "shouldIgnore": False} for path, mode in modes.items()]
                return 200, {"files": told}
            commit(repository, branch, [json.loads(line) for line in content.splitlines()])
            return 200, {"commitUrl": f"{state.url}/{org}/{name}/commit/{COMMIT}", "commitOid": COMMIT}

        def created(self, wanted: dict[str, Any]) -> tuple[int, Any]:
            name = f"{wanted['organization']}/{wanted['name']}"
            if wanted["organization"] != "org":
                return 403, {"error": "You don't have the rights to create a model under this namespace"}
            if name in state.repositories:
                return 409, {"error": "You already created this model repo", "url": f"{state.url}/{name}"}
            state.repositories[name] = Repository(private=wanted.get("visibility") == "private")
            return 200, {"url": f"{state.url}/{name}"}

        def upload(self, oid: str) -> dict[str, Any]:
            actions = {} if oid in state.objects else {"actions": {"upload": {"href": f"{state.url}/lfs/{oid}"}}}
            return {"oid": oid, "size": 0} | actions

        def answer(self, status: int, content: Any, code: str = "") -> None:
            encoded = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(encoded)))
            if code:
                self.send_header("X-Error-Code", code)
            self.end_headers()
            self.wfile.write(encoded)

        def log_message(self, *_: object) -> None: ...

    def validated(readme: str) -> tuple[int, Any]:
        about = yaml.safe_load(readme.split("---\n")[1])
        base = about.get("base_model", "org/name")
        if base.count("/") != 1 or base.startswith("/"):
            return 400, {"errors": [{"message": f'"base_model" with value {base!r} is not valid'}], "warnings": []}
        return 200, {"errors": [], "warnings": []}

    def commit(repository: Repository, branch: str, lines: list[dict[str, Any]]) -> None:
        files = repository.branches[branch]
        for line in lines:
            value = line["value"]
            match line["key"]:
                case "header":
                    repository.commits.append(value["summary"])
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    files[value["path"]] = state.objects[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]

    with http_server(Handler) as url:
        state.url = url
        yield state
