"""A hub that gives what it holds, on loopback: as much of it as huggingface_hub asks for when it fetches."""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote, urlsplit

from servers import http_server

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class ReadingHub:
    """A running hub."""

    url: str
    commits: dict[str, Mapping[str, Mapping[str, bytes]]]
    """What each commit holds, oldest first: files by their path, for each repository. ``main`` is the last."""
    given: list[str] = field(default_factory=list)
    """Files whose content was asked for, once for each time."""


@contextmanager
def reading_hub(
    repositories: Mapping[str, Mapping[str, bytes]],
    private: Mapping[str, str] | None = None,
    before: Callable[[str], None] = lambda _: None,
) -> Iterator[ReadingHub]:
    """Run it, with a gated and a failing repository besides those given.

    Its limits: each repository is both a model and a dataset; all have the same commits, of one branch; it lists a tree
    in one page, and has no Xet, no redirect to a store and no ranges.

    Args:
        repositories: files by their path, for each repository.
        private: those that a token opens.
        before: called with a file's path before its content is sent.
    """
    state = ReadingHub("", {COMMIT: repositories})
    counting = threading.Lock()

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = unquote(urlsplit(self.path).path).replace("/datasets/", "/models/").removeprefix("/api")
            name = next((name for name in repositories if f"/{name}/" in f"{url}/"), "")
            asked = re.search(r"/(?:resolve|revision|tree)/([^/]+)/?(.*)", url)
            named, path = asked.groups() if asked else ("main", "")
            self.commit = next(reversed(state.commits)) if named == "main" else named
            files = state.commits.get(self.commit, {}).get(name, {})
            token = (private or {}).get(name)
            if "/org/gated" in url:
                self.answer(403, code="GatedRepo")
            elif "/org/failing" in url:
                self.answer(500)
            elif token is not None and self.headers.get("Authorization") != f"Bearer {token}":
                self.answer(401, code="RepoNotFound")
            elif not name:
                self.answer(404, code="RepoNotFound")
            elif self.commit not in state.commits:
                self.answer(404, code="RevisionNotFound")
            elif "/revision/" in url or url.count("/") == 3:
                self.answer(200, json.dumps({"id": "org/name", "sha": self.commit, "siblings": []}).encode())
            elif "/tree/" in url:
                tree = [
                    {"type": "file", "path": path, "size": len(data), "oid": f"{len(data):040x}"}
                    for path, data in files.items()
                ]
                self.answer(200, json.dumps(tree).encode())
            elif path in files:
                self.give(path, files[path])
            else:
                self.answer(404, code="EntryNotFound")

        do_HEAD = do_GET  # noqa: N815

        def give(self, path: str, data: bytes) -> None:
            if self.command == "GET":
                with counting:
                    state.given.append(path)
                before(path)
            self.answer(200, data, ETag=f'"{hashlib.sha256(data).hexdigest()}"')

        def answer(self, status: int, content: bytes = b"", code: str = "", **headers: str) -> None:
            self.send_response(status)
            for name, value in {"X-Repo-Commit": self.commit, "Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            if code:
                self.send_header("X-Error-Code", code)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    with http_server(Hub) as url:
        state.url = url
        yield state
