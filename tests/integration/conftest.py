"""A real S3 server and a real Kubernetes control plane for the tests that need one."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from control_plane import ControlPlane, run_control_plane
from finetune_core.contract import Place
from go_binaries import GoMissing, go_binary
from pod_runner import PodRunner
from servers import S3Server, s3_server


@pytest.fixture(autouse=True)
def no_identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The process has no AWS identity or setting of its own."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Prints a line at once, past pytest's capture."""
    manager = request.config.pluginmanager
    terminal, capture = manager.getplugin("terminalreporter"), manager.getplugin("capturemanager")

    def say(line: str) -> None:
        if terminal is not None:  # a worker of pytest-xdist has none
            with capture.global_and_fixture_disabled():
                terminal.write_line(f"\n{line}")

    return say


@pytest.fixture(scope="session")
def versitygw(say: Callable[[str], None]) -> Path:
    """The server's binary; the tests are skipped where there is no Go to build it with."""
    try:
        return go_binary("versitygw", say)
    except GoMissing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def s3(versitygw: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A running S3 server."""
    with s3_server(versitygw, tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server) -> str:
    """A new, empty bucket."""
    name = f"test-{uuid4().hex[:12]}"
    (s3.root / name).mkdir()
    return name


@pytest.fixture
def place(s3: S3Server, bucket: str, tmp_path: Path) -> Place:
    """A prefix in the new bucket, opened by a credentials folder."""
    credentials = s3.credentials(tmp_path / "credentials")
    return Place(uri=f"s3://{bucket}/runs/one", credentials=str(credentials), endpoint_url=s3.url)


@pytest.fixture(scope="session")
def control_plane(say: Callable[[str], None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A running Kubernetes without nodes; the tests are skipped where there is no Go to build it with."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here to make a certificate with")
    try:
        with run_control_plane(tmp_path_factory.mktemp("control-plane"), say) as plane:
            yield plane
    except GoMissing as error:
        pytest.skip(str(error))


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A new, empty namespace."""
    with control_plane.namespace(f"test-{uuid4().hex[:12]}") as name:
        yield name


@pytest.fixture
def pods(control_plane: ControlPlane, tmp_path: Path) -> Iterator[PodRunner]:
    """Runs the pods that a test makes."""
    with PodRunner(control_plane, tmp_path / "pods") as runner:
        yield runner
