"""The images that the test cluster runs, from the checkout into containerd; no registry and no docker needed.

They are built by buildah in a store of their own, on a base that debootstrap makes. The trainer's dependencies are one
layer of some 6 GB; it is built once for each set of them and sent to containerd once, whatever changes in the code.
"""

import fcntl
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from e2e.build_images import BUILDAH_BUILD, DOCKERFILES, REPOSITORY, Name, build_options, version

STORE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "finetune-operator" / "buildah"
"""Nothing of the user's own images is touched."""

REGISTRY = "localhost"
"""Before the images' names; nothing is asked there."""

_TEMPORARY = STORE / "tmp"
"""Not /tmp, which may be small, or memory."""

BASE = "localhost/finetune-base:bookworm"
BASE_AGE = timedelta(days=30)
"""Then it is made anew, for Debian's corrections; the layers above it are too."""

PAUSE = "localhost/finetune-pause:e2e"
PAUSE_SOURCE = Path(__file__).with_name("pause.c")

PACKAGES = ("buildah", "containerd", "debootstrap", "gcc", "libc6-dev", "skopeo")
"""Debian's, that hold the programs used here."""

COLD_GB: dict[Name, int] = {"operator": 2, "trainer": 20}
"""Free disk for all layers; buildah holds the trainer's dependencies twice while it stores them."""
WARM_GB = 1
"""Free disk for the layer of the project alone."""

_OWN_MOUNTS = ("unshare", "--mount")
"""Mounts of the command behind it end with it; buildah leaves its store mounted, debootstrap much when it is killed."""

_COMMAND_FAILED = "subprocess exited"
"""buildah's word of a command that failed; what that said stands before."""

Say = Callable[[str], None]


class ImageError(Exception):
    """An image could not be made or brought into containerd: one line that says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image in the store."""

    reference: str
    """Its name, in the store, in containerd and in manifests."""

    id: str
    """Digest of its configuration: the same id is the same image."""


def build(name: Name, say: Say) -> Image:
    """Build an image from the checkout; what did not change is not built again.

    Raises:
        ImageError: too little disk is free, or the build failed.
    """
    reference = f"{REGISTRY}/finetune-{name}:{version()}"
    with _alone(say):
        base, before = _base_image(say), _ids(name)
        dependencies, stamp = _dependencies(name), STORE / f"{name}.dependencies"
        cold = not before or not stamp.exists() or stamp.read_text() != dependencies
        if cold:
            say(f"{reference}: all layers are built, which takes {'minutes' if name == 'trainer' else 'a minute'}")
        _buildah("rm", "--all")  # a build that was killed leaves its container
        _need(COLD_GB[name] if cold else WARM_GB, STORE, reference)
        started = time.monotonic()
        with build_options(name, reference, base) as options:
            _buildah(*BUILDAH_BUILD, *options, log=STORE / f"{name}.log")
        stamp.write_text(dependencies)
        built = _inspect(reference)
        assert built is not None
        for old in before - {built["FromImageID"]}:
            _buildah("rmi", "--force", old)  # with the layers that were its alone
        if cold:
            _buildah("rmi", "--prune")
    megabytes = sum(layer["size"] for layer in json.loads(built["Manifest"])["layers"]) / 1e6
    say(f"{reference}: built in {time.monotonic() - started:.1f} s, {megabytes:,.0f} MB")
    return Image(reference=reference, id=f"sha256:{built['FromImageID']}")


def import_into(image: Image, containerd_socket: Path, say: Say) -> None:
    """Bring an image into containerd, which is sent only the layers that it does not hold.

    Raises:
        ImageError: too little disk is free, or containerd refused.
    """
    ctr = ["ctr", "--address", str(containerd_socket), "--namespace", "k8s.io"]
    with _alone(say):
        before = _id_in_containerd(ctr, image.reference)
        if before == image.id:
            say(f"{image.reference}: containerd has it")
            return
        started = time.monotonic()
        inspected = _inspect(image.reference)
        if inspected is None or f"sha256:{inspected['FromImageID']}" != image.id:
            raise ImageError(f"{image.reference} ({image.id}) was built anew since: import that")
        layers = {layer["digest"]: layer["size"] for layer in json.loads(inspected["Manifest"])["layers"]}
        held = layers.keys() & set(_run([*ctr, "content", "ls", "--quiet"]).split())
        new = sum(size for digest, size in layers.items() if digest not in held)
        # containerd keeps a layer packed and unpacked; its packed form is here too until it was sent.
        _need(2 * new / 1e9 + 1, STORE, f"{image.reference} in containerd")
        with TemporaryDirectory(dir=_TEMPORARY) as folder:
            layout, blobs = Path(folder), Path(folder) / "blobs" / "sha256"
            blobs.mkdir(parents=True)
            for digest in held:  # skopeo takes a file of that name for the layer, and does not write it
                with (blobs / digest.removeprefix("sha256:")).open("wb") as placeholder:
                    placeholder.truncate(layers[digest])
            # buildah's own push would pack layers anew, under other digests than containerd is asked for.
            stored = f"containers-storage:[overlay@{STORE}/root+{STORE}/run]@{image.id.removeprefix('sha256:')}"
            copy = ["skopeo", "copy", "--quiet", "--dest-oci-accept-uncompressed-layers"]
            _run([*copy, stored, f"oci:{layout}:{image.reference}"])
            for digest in held:
                (blobs / digest.removeprefix("sha256:")).unlink()
            with _kept(ctr, image.reference):
                _send(layout, [*ctr, "images", "import", "-"])
        if before:
            # The name that kubelet's side of containerd gave the old image would keep its layers.
            subprocess.run([*ctr, "images", "rm", before], capture_output=True)
        say(f"{image.reference}: {new / 1e6:,.0f} MB into containerd in {time.monotonic() - started:.1f} s")


def pause_image(containerd_socket: Path, say: Say) -> str:
    """Reference of an image in containerd whose one program holds a pod's namespaces and reaps its orphans."""
    ctr = ["ctr", "--address", str(containerd_socket), "--namespace", "k8s.io"]
    with _alone(say):
        with TemporaryDirectory(dir=_TEMPORARY) as folder:
            binary = Path(folder) / "pause"
            _run(["gcc", "-Os", "-static", "-s", "-o", str(binary), str(PAUSE_SOURCE)])
            layer = _tar({"pause": (binary.read_bytes(), 0o755)})
        config = {
            "architecture": _run(["dpkg", "--print-architecture"]),
            "os": "linux",
            "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
        packed = json.dumps(config).encode()
        if _id_in_containerd(ctr, PAUSE) != f"sha256:{hashlib.sha256(packed).hexdigest()}":
            manifest = [{"Config": "config.json", "RepoTags": [PAUSE], "Layers": ["layer.tar"]}]
            files = {"manifest.json": json.dumps(manifest).encode(), "config.json": packed, "layer.tar": layer}
            archive = _tar({name: (data, 0o644) for name, data in files.items()})
            _run([*ctr, "images", "import", "-"], given=archive)
            say(f"{PAUSE}: {len(archive) / 1e6:.1f} MB into containerd")
        return PAUSE


@contextmanager
def _alone(say: Say) -> Iterator[None]:
    """One process at a time builds, reads or clears away; what one that was killed left half done goes."""
    STORE.mkdir(parents=True, exist_ok=True)
    with (STORE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process builds images: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(_TEMPORARY, ignore_errors=True)
        _TEMPORARY.mkdir()
        yield


def _base_image(say: Say) -> str:
    found = _inspect(BASE)
    if found and datetime.now(UTC) - datetime.fromisoformat(found["OCIv1"]["created"][:19] + "+00:00") < BASE_AGE:
        return BASE
    _need(1, STORE, BASE)
    started = time.monotonic()
    with TemporaryDirectory(dir=_TEMPORARY, ignore_cleanup_errors=True) as folder:
        _run(["debootstrap", "--variant=minbase", "bookworm", folder, *_mirror()])
        # What debootstrap downloaded, and what it took over from this machine.
        downloaded = ("var/cache/apt/archives/*.deb", "var/cache/apt/*.bin", "var/lib/apt/lists/*_*", "var/log/*.log")
        for pattern in (*downloaded, "etc/resolv.conf", "etc/hostname"):
            for path in Path(folder).glob(pattern):
                path.unlink()
        container = _buildah("from", "scratch")
        try:
            _buildah("add", "--quiet", container, folder, "/")
            _buildah("commit", "--quiet", container, BASE)
        finally:
            _buildah("rm", container)
    say(f"{BASE}: made by debootstrap in {time.monotonic() - started:.0f} s")
    return BASE


def _ids(name: Name) -> set[str]:
    """The images of that name in the store, whatever their tags."""
    asked = f"reference={REGISTRY}/finetune-{name}"
    listed = _buildah("images", "--quiet", "--no-trunc", "--filter", asked)
    return {line.removeprefix("sha256:") for line in listed.splitlines()}


def _dependencies(name: Name) -> str:
    """Changes when the large layers of an image do."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    base = _inspect(BASE)
    of_image = (
        base and base["FromImageID"],
        (REPOSITORY / DOCKERFILES[name]).read_text(),
        (REPOSITORY / "constraints.txt").read_text(),
        project["dependencies"],
        project["optional-dependencies"][name],
    )
    return hashlib.sha256(repr(of_image).encode()).hexdigest()


def _need(gigabytes: float, where: Path, what: str) -> None:
    where.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(where).free / 1e9
    if free < gigabytes:
        raise ImageError(f"{what} needs {gigabytes:.0f} GB of disk, {free:.1f} GB are free at {where}: free some")


def _mirror() -> list[str]:
    """Where this machine has Debian 12 from, if it is one; else debootstrap takes Debian's own address."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Codename: bookworm"]
    found = subprocess.run(asked, capture_output=True, text=True).stdout.split() if shutil.which("apt-get") else []
    return found[:1]


@contextmanager
def _kept(ctr: Sequence[str], reference: str) -> Iterator[None]:
    """The image that has this name keeps its layers while the name goes over to another.

    An import gives the name away first and builds upon the layers after that: between the two,
    containerd's garbage collection may take the ones that both images have.
    """
    name = f"{reference}-before"
    held = subprocess.run([*ctr, "images", "tag", "--force", reference, name], capture_output=True).returncode == 0
    try:
        yield
    finally:
        if held:
            _run([*ctr, "images", "rm", "--sync", name])  # collected now: what it lists next, it will still have


def _id_in_containerd(ctr: Sequence[str], reference: str) -> str | None:
    """Id of the image that has this name in containerd, unpacked as a pod needs it."""
    rows = _run([*ctr, "images", "check", f"name=={reference}"]).splitlines()[1:]
    if not rows or rows[0].split()[-1] != "true":
        return None
    manifest = json.loads(_run([*ctr, "content", "get", rows[0].split()[2]]))
    return str(manifest["config"]["digest"])


def _inspect(reference: str) -> dict[str, Any] | None:
    """What buildah says of an image; None where there is none of that name."""
    if not _buildah("images", "--quiet", "--filter", f"reference={reference}"):
        return None
    return dict(json.loads(_buildah("inspect", "--type", "image", reference)))


def _buildah(*arguments: str, log: Path | None = None) -> str:
    return _run([*_command(), *arguments], log=log)


def _command() -> list[str]:
    return ["buildah", "--root", f"{STORE}/root", "--runroot", f"{STORE}/run", "--storage-driver", "overlay"]


def _run(command: Sequence[str], *, given: bytes | None = None, log: Path | None = None) -> str:
    """Wait for a command and return what it printed; with a log, that is there instead."""
    program = command[0]
    if not shutil.which(program):
        raise ImageError(f"{program} is not installed: apt-get install {' '.join(PACKAGES)}")
    environment = os.environ | {"TMPDIR": str(_TEMPORARY)}
    with log.open("w") if log else nullcontext() as file:
        streams = {"stdout": file, "stderr": file} if file else {"capture_output": True}
        done = subprocess.run([*_OWN_MOUNTS, *command], cwd=REPOSITORY, input=given, env=environment, **streams)
    if done.returncode:
        said = (log.read_text() if log else done.stderr.decode(errors="replace")).strip().splitlines()
        failed = next((at for at, line in enumerate(said) if line.startswith(_COMMAND_FAILED)), 0)
        reason = said[failed - 1] if said else f"exit code {done.returncode}"
        raise ImageError(f"{program} failed: {reason}" + (f" (all of it: {log})" if log else ""))
    return "" if log else done.stdout.decode(errors="replace").strip()


def _send(layout: Path, command: Sequence[str]) -> None:
    """Give an image in OCI's layout to a command, as a tar; the folder is empty then."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with process.stdin, tarfile.open(fileobj=process.stdin, mode="w|") as tar:
                for path in sorted(path for path in layout.rglob("*") if path.is_file()):
                    tar.add(path, arcname=str(path.relative_to(layout)))
                    path.unlink()  # so that a large layer is not on disk twice for longer than need be
        except BrokenPipeError:
            pass  # the command ended: its own words say why
        said = process.stdout.read().decode(errors="replace").strip()
    if process.returncode:
        raise ImageError(f"{' '.join(command)} failed: {said.splitlines()[-1] if said else 'it said nothing'}")


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    """An archive of these names, contents and modes, the same for the same files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, (data, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()
