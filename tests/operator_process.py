"""The operator as a process of its own, with the rights of a service account and no more."""

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import yaml

from control_plane import ControlPlane, Json, wait_for
from servers import HOST, free_port

ACCOUNT = "operator"
LEASE_SECONDS = 3
DEFECT = re.compile(r"Traceback|never awaited|never retrieved|cannot \w+ resource")
"""In a log: an error that nobody expected, or a right that is lacking, in RBAC's words."""
KOPFS_END = re.compile(r"ERROR kopf\._core\.reactor\.\w+: .* has failed")
"""Before a traceback: kopf's own words for the end of a watch, which the operator then ends for."""

RULES: list[Json] = [
    {"apiGroups": ["finetune.dev"], "resources": ["finetunejobs"], "verbs": ["get", "list", "watch", "delete"]},
    {"apiGroups": ["finetune.dev"], "resources": ["finetunejobs/status"], "verbs": ["patch"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch", "create", "delete"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "create"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["list", "create"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "patch"]},
]
"""All that an operator is allowed; every test proves that it needs nothing else, and no Secret above all."""


def operator_kubeconfig(plane: ControlPlane, home: str, namespaces: Sequence[str]) -> Path:
    """A kubeconfig with the operator's rights in these namespaces, or in all of them if none is named.

    The account and the Lease are in ``home``.
    """
    rbac, account = "/apis/rbac.authorization.k8s.io/v1", f"/api/v1/namespaces/{home}/serviceaccounts"
    subjects = [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": home}]
    _create(plane, account, {"metadata": {"name": ACCOUNT}})
    for namespace in {home, *namespaces}:
        scope = f"{rbac}/namespaces/{namespace}"
        lease_only = not namespaces or namespace not in namespaces
        _create(plane, f"{scope}/roles", {"metadata": {"name": ACCOUNT}, "rules": RULES[-1:] if lease_only else RULES})
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT}
        binding = {"metadata": {"name": ACCOUNT}, "roleRef": reference, "subjects": subjects}
        _create(plane, f"{scope}/rolebindings", binding)
    if not namespaces:
        _create(plane, f"{rbac}/clusterroles", {"metadata": {"name": home}, "rules": RULES[:-1]})
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": home}
        binding = {"metadata": {"name": home}, "roleRef": reference, "subjects": subjects}
        _create(plane, f"{rbac}/clusterrolebindings", binding)
    return plane.service_account_kubeconfig(home, ACCOUNT)


def through(kubeconfig: Path, url: str) -> Path:
    """The same kubeconfig, but for a proxy in front of the API server."""
    content = yaml.safe_load(kubeconfig.read_text())
    content["clusters"][0]["cluster"] = {"server": url}
    changed = kubeconfig.with_name(f"{kubeconfig.stem}-{url.rpartition(':')[2]}.kubeconfig")
    changed.write_text(yaml.safe_dump(content))
    return changed


def _create(plane: ControlPlane, path: str, body: Json) -> None:
    status, answer = plane.request("POST", path, body)
    assert status == 201, answer


class OperatorProcess:
    """One replica. Started again, it has the same identity, and so its own Lease at once."""

    def __init__(self, kubeconfig: Path, folder: Path, identity: str, **settings: object) -> None:
        self.port = free_port()
        self.identity = identity
        self._log = folder / f"{identity}.log"
        self._process: subprocess.Popen[bytes] | None = None
        known = {
            "trainer_image": "registry.example/trainer:test",
            "port": self.port,
            "identity": identity,
            "lease_seconds": LEASE_SECONDS,
            "poll_seconds": 0.5,
            "sweep_seconds": 60,
            **settings,
        }
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "KUBECONFIG": str(kubeconfig),
            **{f"FTJ_OPERATOR_{name.upper()}": str(value) for name, value in known.items()},
        }

    def start(self) -> "OperatorProcess":
        """Start it; it adds to the log of the one before."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "finetune_operator.main"], env=self._environment, stdout=log, stderr=log
            )
        return self

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What all processes of this replica have printed."""
        return self._log.read_text() if self._log.exists() else ""

    def kill(self) -> None:
        """SIGKILL: it cannot finish anything."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def terminate(self) -> None:
        """SIGTERM: it is asked to stop."""
        assert self._process is not None
        self._process.terminate()

    def wait_for_exit(self, seconds: float) -> int:
        """The exit code, once it has ended."""
        assert self._process is not None
        return self._process.wait(seconds)

    def metrics(self) -> str:
        """What Prometheus would read."""
        with urllib.request.urlopen(f"http://{HOST}:{self.port}/metrics", timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    def values(self) -> dict[str, float]:
        """The metrics by name and labels, as they are written: ``finetune_job_step{name="a",namespace="b"}``."""
        lines = [line.rsplit(" ", 1) for line in self.metrics().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}

    @property
    def leads(self) -> bool:
        with suppress(OSError):
            return self.values()["finetune_leader"] == 1
        return False

    def wait_until_leading(self, seconds: float = 30) -> "OperatorProcess":
        """Wait until it has the Lease."""
        wait_for(lambda: self.leads or not self.running, seconds)
        assert self.running, f"the operator ended:\n{self.log[-4000:]}"
        return self

    def complaints(self) -> list[str]:
        """What no log of an operator may have: a defect of its own, or a right that it lacks."""
        lines = self.log.splitlines()
        return [line for before, line in pairwise(["", *lines]) if DEFECT.search(line) and not KOPFS_END.search(before)]


Operators = Callable[..., OperatorProcess]
"""Makes replicas that have not been started: ``operators("operator-0", poll_seconds=1)``."""
