"""The first process of the cluster's namespaces: starts its servers, and takes all of them with it when it ends.

It is process 1 of a process namespace, so the kernel kills whatever it leaves, containers included; its mounts are seen
by nobody else, and go with the last of these processes. Nothing has to be searched for and cleaned up.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from e2e.cluster.node import CORES, KUBELET_FOLDER
from e2e.cluster.places import LOGS, RUN, SOCKET

DAEMONS, READY = RUN / "daemons.json", RUN / "ready"
MOUNT_POINTS = (Path("/var/lib/kubelet"), Path("/var/lib/cni"))
"""Folders that kubelet and the network plugins have whatever they are told; others are mounted over them."""
START_SECONDS = 60
STOP_SECONDS = 10


def main() -> NoReturn:
    """Start everything, wait until something ends or we are asked to stop."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _mount()
    daemons = {daemon["name"]: daemon for daemon in json.loads(DAEMONS.read_text())}
    # All are kept: Popen waits for a forgotten one that has ended, and then nobody here hears of its end.
    servers = {"containerd": _start_container_runtime(daemons.pop("containerd"))}
    for name, daemon in daemons.items():
        servers[name] = _start(daemon)
    started = {process.pid: name for name, process in servers.items()}
    READY.touch()
    try:
        while True:
            process, status = os.waitpid(-1, 0)  # shims and what they leave are children of ours too
            if process in started:
                sys.exit(f"{started[process]} ended with {status}: see {LOGS / started[process]}.log")
    finally:
        READY.unlink(missing_ok=True)
        for process, name in started.items():
            if name == "kubelet":  # or it would start again what is stopped now
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        _remove_containers()


def _mount() -> None:
    """Private places where servers have fixed ones."""
    kubelet, network = MOUNT_POINTS
    for folder in MOUNT_POINTS:
        folder.mkdir(exist_ok=True)
    for mount in (
        "--make-rshared /",
        "-t tmpfs tmpfs /run",
        "-t tmpfs tmpfs /var/log",
        f"-t tmpfs tmpfs {network}",
        f"--bind {KUBELET_FOLDER} {kubelet}",
    ):
        subprocess.run(["mount", *mount.split(" ")], check=True)
    _claim_cores(CORES)


def _claim_cores(number: int) -> None:
    """Let kubelet, which reads it here, find so many cores or more: train pods that hold a GPU ask for three.

    They are more NUMA nodes with the same cores, for what kubelet finds is also what it writes into cpusets. No
    container sees this (each has a sysfs of its own), and nothing gets more time by it.
    """
    nodes, cores = Path("/sys/devices/system/node"), sorted(os.sched_getaffinity(0))
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", nodes], check=True)
    for node in range(-(-number // len(cores))):
        for core in cores:
            topology = nodes / f"node{node}" / f"cpu{core}" / "topology"
            topology.mkdir(parents=True)
            (topology / "core_id").write_text(f"{core}\n")
            (topology / "physical_package_id").write_text(f"{node}\n")
        (nodes / f"node{node}" / "meminfo").write_text(f"Node {node} MemTotal: 0 kB\n")


def _start_container_runtime(daemon: dict[str, Any]) -> subprocess.Popen[bytes]:
    """containerd, without what a cluster that was killed has left in its records."""
    process = _start(daemon)
    if _remove_containers():
        process.kill()
        process.wait()
        process = _start(daemon)
    return process


def _start(daemon: dict[str, Any]) -> subprocess.Popen[bytes]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(RUN), **daemon["environment"]}  # no proxy above all
    with (LOGS / f"{daemon['name']}.log").open("ab") as log:
        process = subprocess.Popen(daemon["command"], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    deadline = time.monotonic() + START_SECONDS
    while daemon["listens"] and not _answers(daemon["listens"]):
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"{daemon['name']} does not start: see {log.name}")
        time.sleep(0.05)
    return process


def _answers(where: str) -> bool:
    try:
        if where.startswith("/"):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(where)
        else:
            address, port = where.split(":")
            socket.create_connection((address, int(port)), 1).close()
    except OSError:
        return False
    return True


def _remove_containers() -> bool:
    """Stop and forget all containers; whether there were any. Images stay."""
    ctr = ["ctr", "--address", str(SOCKET), "--namespace", "k8s.io"]
    containers = _lines([*ctr, "containers", "list", "--quiet"])
    for task in _lines([*ctr, "tasks", "list", "--quiet"]):
        subprocess.run([*ctr, "tasks", "delete", "--force", task], capture_output=True, timeout=STOP_SECONDS)
    if containers:
        subprocess.run([*ctr, "containers", "delete", *containers], capture_output=True, timeout=STOP_SECONDS)
    return bool(containers)


def _lines(command: list[str]) -> list[str]:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=STOP_SECONDS)
    return ended.stdout.split()


if __name__ == "__main__":
    main()
