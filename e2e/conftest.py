"""The cluster, the operator in it, and the quickstart's model and rows in its S3 server."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from e2e.cluster import life
from e2e.cluster.cluster import Cluster, Json
from e2e.cluster.places import CACHE, REPOSITORY
from e2e.jobs import BUCKET, SECRET, Jobs
from e2e.operator_release import NAMESPACE, OperatorRelease, namespace
from servers import S3Server

QUICKSTART = REPOSITORY / "examples" / "quickstart"
TEST_SECONDS = 900
"""More than all waits of one test together, which say better what was waited for."""
LAST = ["test_rights.py", "test_left_behind.py"]
"""The first looks back at what all others made the operator do; the second ends the cluster."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--use-existing",
        action="store_true",
        help="use the cluster that kubectl talks to instead of one of our own; e2e/README.md says what it needs",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.timeout(TEST_SECONDS))
    items.sort(key=lambda item: LAST.index(item.path.name) if item.path.name in LAST else -1)


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Prints a line at once, past pytest's capture."""
    manager = request.config.pluginmanager
    terminal, capture = manager.getplugin("terminalreporter"), manager.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            terminal.write_line(f"\n{line}")

    return say


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, say: Callable[[str], None]) -> Cluster:
    """A running cluster with both images; the last test ends one that is ours."""
    if request.config.getoption("--use-existing"):
        return _existing_cluster()
    return life.up(say)


@pytest.fixture
def own_cluster(cluster: Cluster) -> Cluster:
    """One whose node and logs are ours."""
    if not cluster.is_ours:
        pytest.skip("this test changes the node or reads the API server's audit log: not on a cluster that is not ours")
    return cluster


@pytest.fixture(scope="session")
def release(cluster: Cluster) -> OperatorRelease:
    """The operator's release, as whichever test ran before has left it."""
    return OperatorRelease(cluster)


@pytest.fixture
def operator(release: OperatorRelease) -> OperatorRelease:
    """The operator, installed for all namespaces."""
    release.install()
    return release


@pytest.fixture(scope="session")
def quickstart(cluster: Cluster) -> str:
    """The bucket with the quickstart's base model and rows."""
    for line in (["base_model.py"], ["upload.py", BUCKET]):
        command = [sys.executable, str(QUICKSTART / line[0]), *line[1:]]
        subprocess.run(command, check=True, env={**os.environ, **s3_environment(cluster)}, stdout=subprocess.DEVNULL)
    return BUCKET


@pytest.fixture
def jobs(cluster: Cluster, operator: OperatorRelease, quickstart: str) -> Iterator[Jobs]:
    """A new namespace for jobs, with the Secret that opens the S3 server; an operator serves it."""
    with a_namespace(cluster) as jobs:
        yield jobs


@contextmanager
def a_namespace(cluster: Cluster) -> Iterator[Jobs]:
    """A new namespace that lets in only restricted pods, with the Secret for S3; in the end its deletion is begun."""
    name = f"e2e-{uuid4().hex[:8]}"
    cluster.apply(namespace(name), s3_secret(cluster.s3, name))
    try:
        yield Jobs(cluster, name)
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false")


def s3_secret(s3: S3Server, namespace: str, name: str = SECRET, **values: str) -> Json:
    """The Secret that opens the S3 server; ``values`` replace its own."""
    keys = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": keys | values}


def s3_environment(cluster: Cluster) -> dict[str, str]:
    """By which AWS tools on this machine find the S3 server."""
    return {
        "AWS_ENDPOINT_URL_S3": cluster.s3.url,
        "AWS_ACCESS_KEY_ID": cluster.s3.access_key,
        "AWS_SECRET_ACCESS_KEY": cluster.s3.secret_key,
        "AWS_REGION": "us-east-1",
        "XDG_CACHE_HOME": str(CACHE.parent),  # where the quickstart keeps its base model
    }


def _existing_cluster() -> Cluster:
    """What the environment says of it."""
    programs = {name: shutil.which(name) for name in ("kubectl", "helm")}
    missing = [name for name, path in programs.items() if path is None]
    if missing:
        pytest.exit(f"not on PATH: {', '.join(missing)}")
    wanted = ("REGISTRY", "S3_URL", "S3_URL_FROM_PODS", "S3_ACCESS_KEY", "S3_SECRET_KEY")
    values = {name: os.environ.get(f"E2E_{name}", "") for name in wanted}
    if unset := [f"E2E_{name}" for name, value in values.items() if not value]:
        pytest.exit(f"--use-existing needs {', '.join(unset)}: see e2e/README.md")
    cluster = Cluster(
        kubeconfig=Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config"),
        programs={name: Path(path) for name, path in programs.items() if path},
        registry=values["REGISTRY"],
        s3=S3Server(values["S3_URL"], values["S3_ACCESS_KEY"], values["S3_SECRET_KEY"], Path("/nonexistent")),
        s3_from_pods=values["S3_URL_FROM_PODS"],
        prometheus=os.environ.get("E2E_PROMETHEUS_URL"),
        audit_log=None,
    )
    for what in (("namespace", NAMESPACE), ("crd", "finetunejobs.finetune.dev"), ("secret", SECRET, "-n", "default")):
        if cluster.run("kubectl", "get", *what, check=False).returncode == 0:
            pytest.exit(f"the cluster has {what[0]} {what[1]}, which these tests would change and delete")
    return cluster
