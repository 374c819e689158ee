"""The chart as Helm renders it."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]

REPOSITORY = Path(__file__).parents[2]
CHART = REPOSITORY / "charts" / "finetune-operator"
RELEASE = "finetune-operator"
NAMESPACE = "ops"

EVERYTHING = (
    "namespaces={team-a,team-b}",
    "metrics.serviceMonitor.enabled=true",
    "metrics.rules.enabled=true",
    "networkPolicy.enabled=true",
)
"""Values with which everything is rendered that is not by default."""


class Helm:
    """The program, and what it makes of the chart."""

    def __init__(self, binary: Path, home: Path) -> None:
        self._binary = binary
        self._home = home
        self.template = cache(self._template)

    def run(self, *arguments: str, kubeconfig: Path | None = None, check: bool = True) -> str:
        """Run it, and give what it prints: its errors where it fails and ``check`` is false."""
        environment = {"HOME": str(self._home), "KUBECONFIG": str(kubeconfig or self._home / "none")}
        ended = subprocess.run([self._binary, *arguments], env=environment, capture_output=True, text=True, timeout=120)
        assert not check or ended.returncode == 0, f"helm {' '.join(arguments)}: {ended.stderr}"
        assert check or ended.returncode != 0, f"helm {' '.join(arguments)} was to fail: {ended.stdout}"
        return ended.stdout if check else ended.stderr

    def _template(self, *values: str, release: str = RELEASE) -> "Rendered":
        """What would be installed, with values as ``--set`` takes them; ``NAME:=JSON`` as ``--set-json``."""
        options = [
            f"--set-json={value.replace(':=', '=', 1)}" if ":=" in value else f"--set={value}" for value in values
        ]
        text = self.run("template", release, str(CHART), f"--namespace={NAMESPACE}", *options)
        return Rendered([document for document in yaml.load_all(text, yaml.CSafeLoader) if document])

    def refusal(self, value: str) -> str:
        """What is said to who sets that value."""
        return self.run("template", RELEASE, str(CHART), f"--set={value}", check=False)


class Rendered:
    """Objects, and ways to find one."""

    def __init__(self, objects: list[Json]) -> None:
        self.objects = objects

    def kinds(self) -> list[str]:
        return sorted(found["kind"] for found in self.objects)

    def all(self, kind: str) -> list[Json]:
        return [found for found in self.objects if found["kind"] == kind]

    def one(self, kind: str) -> Json:
        (found,) = self.all(kind)
        return found

    @property
    def pod(self) -> Json:
        """The operator's pod: metadata and spec."""
        template: Json = self.one("Deployment")["spec"]["template"]
        return template

    @property
    def container(self) -> Json:
        (container,) = self.pod["spec"]["containers"]
        return dict(container)

    @property
    def environment(self) -> dict[str, str]:
        return {variable["name"]: variable["value"] for variable in self.container["env"]}

    def text(self) -> str:
        """All of it, for kubectl."""
        return "\n".join(f"---\n{json.dumps(found)}" for found in self.objects)
