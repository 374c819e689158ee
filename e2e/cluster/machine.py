"""What this machine must have, and what the cluster takes of it besides processes: a network namespace and a cgroup."""

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from e2e.cluster.node import CNI_BINARIES
from e2e.cluster.places import CABLE_BITS, CACHE, HOST_ADDRESS, KERNEL_SETTINGS, NAME, NETWORK, NODE_ADDRESS, ROOT

Say = Callable[[str], None]

DISK_BYTES = 45 * 10**9
"""With torch an image takes 6 GB in buildah and 12 GB in containerd, and 11 GB more while it is committed."""

_PROGRAMS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "skopeo": "skopeo",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "gcc": "gcc",
}
"""Program, and the Debian package that has it."""
_CGROUPS = Path("/sys/fs/cgroup")


class CannotRun(Exception):
    """The cluster cannot run on this machine; the message is for its person."""


def check_machine(images_are_there: bool, say: Say) -> None:
    """See that this machine can run the cluster; with ``CI`` set, install the Debian packages that it lacks.

    Raises:
        CannotRun: it cannot; with the reason, and what to do.
    """
    if platform.system() != "Linux" or os.geteuid() != 0:
        raise CannotRun("a cluster of our own needs Linux and root: use --use-existing with a cluster you have")
    missing = sorted({package for program, package in _PROGRAMS.items() if shutil.which(program) is None})
    if not (CNI_BINARIES / "bridge").exists():
        missing.append("containernetworking-plugins")
    if not list(Path("/usr/lib").glob("*/libc.a")):
        missing.append("libc6-dev")
    if missing:
        line = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
        if not os.environ.get("CI") or shutil.which("apt-get") is None:
            raise CannotRun(f"programs are missing: {' '.join(line)}")
        say(f"installing {', '.join(missing)} ...")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update"], line):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    if _run("unshare", "--mount", "--pid", "--net", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/run").returncode:
        raise CannotRun("no namespaces and mounts can be made here, as in most containers: use --use-existing")
    try:
        if not any((folder / NAME).exists() for folder in _cgroup_roots()):  # else a cluster runs in it
            make_cgroup()
            remove_cgroup()
    except OSError as error:
        raise CannotRun(f"no cgroup can be made here ({error}), as in most containers: use --use-existing") from error
    CACHE.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(CACHE).free
    if not images_are_there and free < DISK_BYTES:
        raise CannotRun(f"{CACHE} has {free / 1e9:.0f} GB free, images and builds need {DISK_BYTES / 1e9:.0f} GB")


def make_network() -> None:
    """A network namespace, and a cable from this machine to it; its routes and rules are nobody else's.

    Raises:
        CannotRun: something here uses its addresses.
    """
    if "dev" in _run("ip", "route", "show", "root", NETWORK).stdout:
        raise CannotRun(f"this machine has a route into {NETWORK}, which the cluster would take")
    inside = ("ip", "-netns", NAME)
    for line in (
        ("ip", "netns", "add", NAME),
        ("ip", "link", "add", NAME, "type", "veth", "peer", "name", "eth0", "netns", NAME),
        ("ip", "address", "add", f"{HOST_ADDRESS}/{CABLE_BITS}", "dev", NAME),
        ("ip", "link", "set", NAME, "up"),
        (*inside, "link", "set", "lo", "up"),
        (*inside, "address", "add", f"{NODE_ADDRESS}/{CABLE_BITS}", "dev", "eth0"),
        (*inside, "link", "set", "eth0", "up"),
        # Service addresses need a route to be rewritten from. What does go that way is sent to no further place.
        (*inside, "route", "add", "default", "via", HOST_ADDRESS),
        ("ip", "netns", "exec", NAME, "sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1"),
    ):
        if (ended := _run(*line)).returncode:
            remove_network()
            raise CannotRun(f"{' '.join(line)}: {ended.stderr.strip()}")


def remove_network() -> None:
    """The namespace, and with it the cable and every rule."""
    _run("ip", "netns", "delete", NAME)
    _run("ip", "link", "delete", NAME)


def make_cgroup() -> None:
    """Where kubelet keeps the pods'."""
    for folder in _cgroup_roots():
        (folder / NAME).mkdir(exist_ok=True)
    cpuset = _CGROUPS / "cpuset"
    if cpuset.exists():  # version 1: a new one has no processors and no memory, and takes no process
        for name in ("cpuset.cpus", "cpuset.mems"):
            (cpuset / NAME / name).write_text((cpuset / name).read_text())


def remove_cgroup() -> None:
    """Once nothing runs in it."""
    for folder in _cgroup_roots():
        for inner in sorted((folder / NAME).glob("**/"), reverse=True):
            if inner.exists():
                inner.rmdir()


_KERNEL_SETTINGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
"""Those that kubelet sets for the whole machine."""


def note_kernel_settings() -> None:
    """Remember what kubelet will change."""
    there = [name for name in _KERNEL_SETTINGS if _setting(name).exists()]
    KERNEL_SETTINGS.write_text(json.dumps({name: _setting(name).read_text() for name in there}))


def restore_kernel_settings() -> None:
    """Make them what they were."""
    if KERNEL_SETTINGS.exists():
        for name, value in json.loads(KERNEL_SETTINGS.read_text()).items():
            _setting(name).write_text(value)


def _setting(name: str) -> Path:
    return Path("/proc/sys") / name


def leftovers() -> list[str]:
    """What of a cluster can be found on this machine; nothing, after its end."""
    found = [line for line in _run("ip", "netns", "list").stdout.splitlines() if NAME in line]
    found += [line for line in _run("ip", "-oneline", "link").stdout.splitlines() if f" {NAME}" in line]
    found += [line for line in _run("ip", "-oneline", "address").stdout.splitlines() if f" {HOST_ADDRESS}/" in line]
    if shutil.which("iptables-save"):
        found += [line for line in _run("iptables-save").stdout.splitlines() if NETWORK.removesuffix("0.0/16") in line]
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if str(ROOT) in line]
    found += [str(folder / NAME) for folder in _cgroup_roots() if (folder / NAME).exists()]
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = command.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            elsewhere = (command.parent / "ns" / "net").readlink() != Path("/proc/self/ns/net").readlink()
        except OSError:
            continue  # it has ended
        if elsewhere and (str(ROOT) in line or "e2e.cluster.inside" in line):
            found.append(f"process {command.parent.name}: {line[:200]}")
    return found


def _cgroup_roots() -> list[Path]:
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS]
    return [folder for folder in _CGROUPS.iterdir() if (folder / "cgroup.procs").exists() and not folder.is_symlink()]


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True)
