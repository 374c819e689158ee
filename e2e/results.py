"""What a job has stored, looked at with nothing of ours."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from e2e.cluster.cluster import Cluster, Json
from e2e.cluster.places import REPOSITORY
from e2e.jobs import BUCKET

QUICKSTART = REPOSITORY / "examples" / "quickstart"
RELOAD = REPOSITORY / "tests" / "trainer" / "trainer_plain_reload.py"
ROWS = 20


def download(cluster: Cluster, uri: str, folder: Path) -> Path:
    """The adapter or whole model at an artifact's URI."""
    client = cluster.s3.client()
    prefix = uri.removeprefix(f"s3://{BUCKET}/").rstrip("/") + "/"
    keys = [entry["Key"] for entry in client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]]
    [weights] = {str(Path(key).parent) for key in keys if key.endswith(".safetensors")}
    folder.mkdir()
    for key in keys:
        if str(Path(key).parent) == weights:
            client.download_file(BUCKET, key, str(folder / Path(key).name))
    return folder


def has_manifest(cluster: Cluster, job: Json) -> bool:
    """Whether the output place of a job has a manifest: that is, a model."""
    prefix = job["spec"]["output"]["uri"].removeprefix(f"s3://{BUCKET}/") + "/manifest.json"
    return bool(cluster.s3.client().list_objects_v2(Bucket=BUCKET, Prefix=prefix)["KeyCount"])


def plain_losses(folders: Mapping[str, Path], scratch: Path) -> dict[str, dict[str, float]]:
    """Loss on some of the quickstart's rows of the base and of what was made of it, by the names of the folders.

    Another process loads them, with torch, transformers and peft alone.
    """
    lines = (QUICKSTART / "rows.jsonl").read_text(encoding="utf-8").splitlines()[:ROWS]
    cases = {
        name: {
            "base": str(QUICKSTART / "base-model"),
            "artifact": str(folder),
            "adapter": (folder / "adapter_config.json").exists(),
            "dtype": "float32",
            "quantization": None,
            "merged": None,
            "rows": [json.loads(line) for line in lines],
        }
        for name, folder in folders.items()
    }
    (scratch / "cases.json").write_text(json.dumps(cases))
    printed = subprocess.run([sys.executable, RELOAD, scratch / "cases.json"], stdout=subprocess.PIPE, check=True)
    losses: dict[str, dict[str, float]] = json.loads(printed.stdout)
    return losses
