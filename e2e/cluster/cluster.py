"""A cluster as tests and people use it: kubectl, helm, S3, Prometheus."""

import json
import os
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import control_plane
from servers import S3Server

Json = dict[str, Any]
T = TypeVar("T")

COMMAND_SECONDS = 300


def wait_for(what: Callable[[], T | None], seconds: float) -> T:
    """Ask again and again until the answer is something, and give it; not more often than two cores can bear."""
    return control_plane.wait_for(what, seconds, every=0.5)


@dataclass(frozen=True)
class Cluster:
    """A running cluster: the one that ``up`` starts, or one that was there."""

    kubeconfig: Path
    programs: dict[str, Path]
    """kubectl and helm."""
    registry: str
    """Before the names of the images; their tag is the project's version, as the chart has it."""
    s3: S3Server
    s3_from_pods: str
    """Its URL as pods reach it."""
    prometheus: str | None
    """URL; None: there is none that scrapes it."""
    audit_log: Path | None
    """Requests of service accounts; None: they cannot be read."""
    operator_image_id: str = ""
    """Of an image whose name stays while it changes; empty: of one that a name tells apart."""

    @property
    def is_ours(self) -> bool:
        """Whether the node may be changed: it exists for these tests."""
        return self.audit_log is not None

    def run(
        self, program: str, *arguments: str | Path, input: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl or helm as admin; ``check``: a failure of it fails the test, with what it said."""
        ended = subprocess.run(
            [self.programs[program], *arguments],
            env=self.environment(),
            input=input,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        assert not check or ended.returncode == 0, f"{program} {' '.join(map(str, arguments))}: {ended.stderr}"
        return ended

    def environment(self) -> dict[str, str]:
        """For programs that are to work with this cluster and no other."""
        if self.is_ours:  # they keep caches in HOME
            return {"KUBECONFIG": str(self.kubeconfig), "HOME": str(self.kubeconfig.parent), "PATH": "/usr/bin:/bin"}
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def kubectl(self, *arguments: str | Path, input: str | None = None) -> str:
        """What kubectl prints."""
        return self.run("kubectl", *arguments, input=input).stdout

    def get(self, *arguments: str) -> Json:
        """What ``kubectl get`` with these arguments finds."""
        found: Json = json.loads(self.kubectl("get", "--output", "json", *arguments))
        return found

    def apply(self, *objects: Json) -> None:
        """Create or change these objects."""
        self.kubectl(
            "apply", "--filename", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        )

    def helm(self, *arguments: str | Path) -> str:
        """What helm prints."""
        return self.run("helm", *arguments).stdout

    def node_is_ready(self, name: str) -> bool:
        """Whether pods can be put on that node."""
        found = self.run("kubectl", "get", "node", name, "--output", "json", check=False)
        if found.returncode:
            return False
        conditions = json.loads(found.stdout)["status"].get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def query(self, expression: str) -> list[Json]:
        """What Prometheus answers now: labels and value of each series."""
        assert self.prometheus is not None
        path = f"/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        result: list[Json] = self.ask_prometheus(path)["result"]
        return result

    def ask_prometheus(self, path: str) -> Json:
        """The data of an answer of its HTTP API."""
        with urllib.request.urlopen(f"{self.prometheus}{path}", timeout=30) as answer:
            data: Json = json.load(answer)["data"]
        return data
