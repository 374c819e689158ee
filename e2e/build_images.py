"""Build both images with docker or buildah, whichever works here: ``make images``.

From the environment: ``IMAGE_TAG`` (default: the project's version), ``IMAGE_PREFIX`` (none; for example
``registry.example/ai/``) and ``BASE_IMAGE`` (Debian's, from its public registry).
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args

REPOSITORY = Path(__file__).resolve().parent.parent

Name = Literal["operator", "trainer"]

DOCKERFILES: dict[Name, str] = {"operator": "operator/Dockerfile", "trainer": "trainer_image/Dockerfile"}

BUILDAH_BUILD = ("bud", "--layers", "--isolation", "chroot", "--network", "host")
"""Layers are kept, as docker does; the least isolation works in containers and without systemd too."""

_STRONGER = ("global", "install", ":env:")
"""Where pip has a setting from, each before what wins over it."""


def main() -> None:
    """Build both and print their references."""
    build = _builder()
    tag = os.environ.get("IMAGE_TAG") or version()
    base = os.environ.get("BASE_IMAGE")
    for name in get_args(Name):
        reference = f"{os.environ.get('IMAGE_PREFIX', '')}finetune-{name}:{tag}"
        with build_options(name, reference, base) as options:
            done = subprocess.run([*build, *options], cwd=REPOSITORY)
        if done.returncode:
            sys.exit(f"{reference} was not built")
        print(reference, flush=True)


@contextmanager
def build_options(name: Name, reference: str, base: str | None) -> Iterator[list[str]]:
    """What docker and buildah alike are given to build an image, from the repository's root."""
    arguments = {"VERSION": version(), "REVISION": revision()} | ({"BASE_IMAGE": base} if base else {})
    with _secrets() as secrets:
        yield [
            *("--file", DOCKERFILES[name], "--tag", reference),
            *(word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")),
            *(word for key, path in secrets.items() for word in ("--secret", f"id={key},src={path}")),
            ".",
        ]


def version() -> str:
    """Version of the project."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def revision() -> str:
    """Commit of the checkout; ``-dirty`` behind it where files were changed since."""
    git = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    done = subprocess.run(git, cwd=REPOSITORY, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def _builder() -> Sequence[str]:
    # A docker command without its engine is common, where containers are made inside containers.
    if shutil.which("docker") and not subprocess.run(["docker", "info"], capture_output=True).returncode:
        return ("docker", "build")
    if shutil.which("buildah"):
        return ("buildah", *BUILDAH_BUILD)
    sys.exit("neither docker with a running engine nor buildah is here: apt-get install buildah")


@contextmanager
def _secrets() -> Iterator[dict[str, Path]]:
    """What pip was told on this machine (index, proxy, certificates), for the steps that use pip; no layer keeps it."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    found = re.findall(r"^(global|install|:env:)\.([a-z-]+)=('.*'|\".*\")$", listed, re.MULTILINE)
    found.sort(key=lambda setting: _STRONGER.index(setting[0]))
    settings = {key: str(ast.literal_eval(value)) for _, key, value in found}
    certificates = Path(settings["cert"]) if "cert" in settings else None
    with TemporaryDirectory(prefix="finetune-images-") as folder:
        file = Path(folder) / "pip.conf"
        if certificates:
            settings["cert"] = "/run/secrets/ca.crt"
        lines = (f"{key} = " + value.replace("\n", "\n    ") for key, value in settings.items())
        file.write_text("\n".join(["[global]", *lines, ""]))
        yield {"pip.conf": file} | ({"ca.crt": certificates} if certificates else {})


if __name__ == "__main__":
    main()
