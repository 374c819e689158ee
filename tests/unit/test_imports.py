"""What each package brings with it: planning and the command line start without the heavy libraries."""

import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

HEAVY = (
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "bitsandbytes",
    "boto3",
    "botocore",
    "huggingface_hub",
    "kubernetes",
    "pandas",
    "pyarrow",
    "matplotlib",
)


@pytest.mark.parametrize(
    "package",
    [
        "finetune_core",
        "finetune_core.api",
        "finetune_core.contract",
        "finetune_core.data",
        "finetune_core.planning",
        "finetune_core.report",
        "finetune_storage",
        "finetune_cli.main",
        "finetune_operator.main",
    ],
)
def test_importing_a_package_loads_no_heavy_library(package: str) -> None:
    code = f"import sys, {package}; print(*sorted({{name.partition('.')[0] for name in sys.modules}} & set({HEAVY})))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout.split(), ended.stderr) == (0, [], "")


def test_the_standard_librarys_operator_is_not_shadowed() -> None:
    code = "import operator; print(operator.add(1, 2))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout == "3\n"


def test_the_operators_install_is_small() -> None:
    sizes = _installed_sizes("finetune-operator", "operator")
    assert {"kopf", "aiohttp", "pydantic"} <= set(sizes)
    assert sum(sizes.values()) < 135e6, sizes  # numpy is more than half, dictionaries of spelling a tenth


def _installed_sizes(name: str, extra: str) -> dict[str, int]:
    """Bytes on disk of a distribution and of all it needs, with that extra; its own files in a checkout left out."""
    sizes: dict[str, int] = {}
    waiting = [(name, extra)]
    while waiting:
        name, extra = waiting.pop()
        if name in sizes:
            continue
        files = distribution(name).files or []
        sizes[name] = sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).is_file())
        for line in distribution(name).requires or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                waiting.append((needed.name, ""))
    return sizes
