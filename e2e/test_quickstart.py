"""The README's way from nothing to a model, its commands run as they are written there."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cluster.cluster import Cluster
from e2e.cluster.places import REPOSITORY
from e2e.conftest import s3_environment
from e2e.jobs import BUCKET, SECRET, Jobs
from e2e.operator_release import NAMESPACE, OperatorRelease
from e2e.results import download, plain_losses

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def readme_blocks(heading: str, language: str) -> list[str]:
    """The code blocks of that language under a heading."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert section is not None
    return re.findall(rf"^```{language}\n(.*?)^```", section[1], re.MULTILINE | re.DOTALL)


@pytest.fixture
def nothing_there(cluster: Cluster, release: OperatorRelease) -> Iterator[None]:
    """A cluster without the operator, no result of the quickstart, and a default namespace without it."""
    remove(cluster, release)
    client = cluster.s3.client()
    for bucket in client.list_buckets()["Buckets"]:
        if bucket["Name"] == BUCKET:
            for found in client.list_objects_v2(Bucket=BUCKET, Prefix="output/").get("Contents", []):
                client.delete_object(Bucket=BUCKET, Key=found["Key"])
    yield
    remove(cluster, release)


def test_the_commands_of_the_readme(cluster: Cluster, nothing_there: None, tmp_path: Path) -> None:
    script = next(block for block in readme_blocks("On Kubernetes", "console") if "helm install" in block)
    commands = re.sub(r"^\$ ", "", script, flags=re.MULTILINE)
    environment = {
        **cluster.environment(),
        **s3_environment(cluster),
        "PATH": f"{programs(cluster, tmp_path)}:{os.environ['PATH']}",
        "REGISTRY": cluster.registry,
        "S3_ENDPOINT": cluster.s3_from_pods,
    }
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=REPOSITORY,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert ended.returncode == 0, ended.stdout
    assert "the model lies at s3://quickstart/output" in ended.stdout

    jobs = Jobs(cluster, "default")
    status = jobs.status("quickstart")
    assert status["phase"] == "Succeeded"
    folder = download(cluster, status["artifact"]["uri"], tmp_path / "adapter")
    losses = plain_losses({"quickstart": folder}, tmp_path)["quickstart"]
    assert losses["tuned"] < losses["base"] - 1


def test_the_job_of_the_readme_passes_the_api_server_and_plans(
    cluster: Cluster, operator: OperatorRelease, tmp_path: Path
) -> None:
    [block] = readme_blocks("Four facts are enough", "yaml")
    (tmp_path / "job.yaml").write_text(block)
    told = cluster.kubectl("apply", "--dry-run=server", "--filename", tmp_path / "job.yaml")
    assert told == "finetunejob.finetune.dev/support-bot created (server dry run)\n"
    plan = [str(Path(sys.executable).parent / "ftj"), "plan", "-f", str(tmp_path / "job.yaml")]
    assert "lora on A10" in subprocess.run(plan, check=True, text=True, stdout=subprocess.PIPE).stdout


def remove(cluster: Cluster, release: OperatorRelease) -> None:
    """Everything that the commands of the README make in the cluster."""
    for kind, name in (("finetunejobs", "quickstart"), ("secret", SECRET)):
        cluster.run("kubectl", "delete", kind, name, "--ignore-not-found", check=False)  # the kind may be unknown yet
    release.uninstall()
    cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")


def programs(cluster: Cluster, folder: Path) -> Path:
    """A folder with kubectl and helm under these names."""
    for name, path in cluster.programs.items():
        (folder / name).symlink_to(path)
    return folder
