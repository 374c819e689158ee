"""Start the cluster, end it, and say how it is."""

import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from control_plane import wait_for
from e2e import images
from e2e.cluster import inside
from e2e.cluster.certificates import make_certificate
from e2e.cluster.cluster import Cluster
from e2e.cluster.control_plane import control_plane
from e2e.cluster.machine import (
    CannotRun,
    Say,
    check_machine,
    leftovers,
    make_cgroup,
    make_network,
    note_kernel_settings,
    remove_cgroup,
    remove_network,
    restore_kernel_settings,
)
from e2e.cluster.node import container_runtime, node_agents
from e2e.cluster.places import (
    AUDIT_LOG,
    IMAGES,
    KUBECONFIG,
    LOGS,
    NAME,
    NODE_ADDRESS,
    PROMETHEUS_PORT,
    REPOSITORY,
    ROOT,
    RUN,
    SOCKET,
)
from e2e.cluster.services import S3_FROM_PODS, beside_kubernetes, s3_objects, s3_server
from go_binaries import go_binary

START_SECONDS = 180
STOP_SECONDS = 30
_PROCESS = RUN / "process.json"
"""The first process of the namespaces: its number, and when it began, lest another has its number by now."""
_BINARIES = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
    "coredns",
    "versitygw",
    "prometheus",
    "helm",
)


def up(say: Say) -> Cluster:
    """The running cluster with this checkout's images in it: started if it is not, brought up to date if it is.

    Raises:
        CannotRun: this machine cannot run one, or it did not start.
    """
    with _alone():
        check(say)
        binaries = {name: go_binary(name, say, pinned=True) for name in _BINARIES}
        built = [images.build("operator", say), images.build("trainer", say)]
        started = time.monotonic()
        if _process() is None:
            _clear()
            _start(binaries)
        try:
            wait_for(_ready, START_SECONDS)
        except (CannotRun, TimeoutError) as error:
            kept = shutil.copytree(LOGS, ROOT / "logs-of-a-failed-start", dirs_exist_ok=True)
            _end()
            raise CannotRun(f"the cluster did not start: see {kept}/inside.log and the others there") from error
        say(f"the cluster runs after {time.monotonic() - started:.0f} s")
        images.pause_image(SOCKET, say)
        for image in built:
            images.import_into(image, SOCKET, say=say)
        cluster = Cluster(
            kubeconfig=KUBECONFIG,
            programs={name: binaries[name] for name in ("kubectl", "helm")},
            registry=images.REGISTRY,
            s3=s3_server(),
            s3_from_pods=S3_FROM_PODS,
            prometheus=f"http://{NODE_ADDRESS}:{PROMETHEUS_PORT}",
            audit_log=AUDIT_LOG,
            operator_image_id=built[0].id,
        )
        cluster.apply(*s3_objects())
        try:
            wait_for(lambda: cluster.node_is_ready(NAME), START_SECONDS)
        except TimeoutError as error:
            raise CannotRun(f"the node is not ready: see {LOGS}/kubelet.log") from error
        return cluster


def check(say: Say) -> None:
    """See whether this machine can run one.

    Raises:
        CannotRun: it cannot.
    """
    check_machine(IMAGES.exists(), say)


def down() -> None:
    """End the cluster and everything in it. Images stay in the cache.

    Raises:
        CannotRun: something of it is still there.
    """
    with _alone():
        _end()
        if left := leftovers():
            raise CannotRun("left behind:\n" + "\n".join(left))


def status() -> str:
    """One line for a person."""
    if _process() is None:
        return "down"
    return f"up; export KUBECONFIG={KUBECONFIG}" if inside.READY.exists() else "starting"


def _start(binaries: dict[str, Path]) -> None:
    for folder in (RUN, LOGS, IMAGES):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    make_certificate()
    daemons = [
        container_runtime(),
        *control_plane(binaries),
        *beside_kubernetes(binaries),
        *node_agents(binaries),
    ]
    inside.DAEMONS.write_text(json.dumps([daemon.to_dict() for daemon in daemons]))
    note_kernel_settings()
    make_network()
    make_cgroup()
    _enter()


def _enter() -> None:
    """Start the first process in namespaces of its own; it outlives this one."""
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command = ["nsenter", f"--net=/run/netns/{NAME}", *namespaces, sys.executable, "-m", "e2e.cluster.inside"]
    log = (os.POSIX_SPAWN_OPEN, 1, LOGS / "inside.log", os.O_WRONLY | os.O_CREAT, 0o600)
    files = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), log, (os.POSIX_SPAWN_DUP2, 1, 2)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = os.posix_spawnp(command[0], command, environment, file_actions=files, setsid=True)
    children = Path(f"/proc/{process}/task/{process}/children")
    first = int(wait_for(lambda: children.read_text().strip()))
    _PROCESS.write_text(json.dumps({"process": first, "began": _began(first)}))


def _ready() -> bool:
    if _process() is None:
        raise CannotRun("its first process has ended")
    return inside.READY.exists()


def _process() -> int | None:
    """The first process, if it runs."""
    if not _PROCESS.exists():
        return None
    noted = json.loads(_PROCESS.read_text())
    return noted["process"] if _began(noted["process"]) == noted["began"] else None


def _began(process: int) -> str | None:
    """When it began, in the kernel's ticks since the machine did (proc(5), stat, field 22); None: it is no more."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def _end() -> None:
    """End the first process, and with it all others; then remove what was made for them."""
    for signal_, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
        with suppress(TimeoutError, ProcessLookupError):
            if (process := _process()) is not None:
                os.kill(process, signal_)
                wait_for(lambda: _process() is None, seconds)
    _clear()


def _clear() -> None:
    """Remove all but the images."""
    remove_network()
    remove_cgroup()
    restore_kernel_settings()
    if RUN.exists():
        shutil.rmtree(RUN)
    for folder in inside.MOUNT_POINTS:
        with suppress(OSError):
            folder.rmdir()  # it was made to mount on; one with anything in it is not ours


@contextmanager
def _alone() -> Iterator[None]:
    """One at a time starts or ends it."""
    ROOT.mkdir(parents=True, exist_ok=True)
    with (ROOT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


__all__ = ["CannotRun", "check", "down", "leftovers", "status", "up"]
