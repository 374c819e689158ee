"""What each package brings with it: planning and the command line start without the heavy libraries."""

import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "bitsandbytes",
    "boto3",
    "botocore",
    "huggingface_hub",
    "pandas",
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
