"""The operator stays small: it talks JSON to an API server, and trains nothing."""

import subprocess
import sys

FORBIDDEN = (
    "torch",
    "transformers",
    "boto3",
    "botocore",
    "pyarrow",
    "kubernetes",
    "huggingface_hub",
    "finetune_trainer",
)


def test_the_operator_loads_none_of_the_trainers_libraries() -> None:
    code = f"import finetune_operator.main, sys; print(*sorted(set({FORBIDDEN}) & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout.split(), ended.stderr) == (0, [], "")
