"""A real S3 server and a real Kubernetes control plane for the tests that need one."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from control_plane import ControlPlane, run_control_plane, wait_for
from faulty_api import FaultyApi, faulty_api
from finetune_core.contract import Place
from go_binaries import GoMissing, go_binary
from operator_jobs import Jobs, Script, jobs_in
from operator_process import OperatorProcess, Operators, operator_kubeconfig, through
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


@pytest.fixture(scope="session")
def finetunejobs(control_plane: ControlPlane) -> ControlPlane:
    """The control plane, with our kind of resource known to the API server and to the garbage collector."""
    definition = Path(__file__).parents[2] / "crds" / "finetunejobs.yaml"
    control_plane.kubectl("apply", "--server-side", "--filename", str(definition))
    control_plane.kubectl("wait", "--for=condition=Established", "crd/finetunejobs.finetune.dev")
    wait_for(lambda: control_plane.request("GET", "/apis/finetune.dev/v1alpha1/finetunejobs")[0] == 200)
    control_plane.restart_controller_manager()
    return control_plane


@pytest.fixture
def jobs(finetunejobs: ControlPlane, namespace: str) -> Jobs:
    """The jobs of a new namespace."""
    return jobs_in(finetunejobs, namespace)


@pytest.fixture
def script(pods: PodRunner) -> Script:
    """What the pods of a test answer, instead of a training."""
    pods.script = script = Script()
    return script


@pytest.fixture
def operators(jobs: Jobs, tmp_path: Path) -> Iterator[Operators]:
    """Makes replicas of the operator that serve the test's namespace, with rights in nothing else.

    In the end none of them may have shown a defect, or have been denied anything.
    """
    made: list[OperatorProcess] = []
    kubeconfig = operator_kubeconfig(jobs.plane, jobs.namespace, [jobs.namespace])

    def make(identity: str = "operator-0", api: FaultyApi | None = None, **settings: object) -> OperatorProcess:
        where = kubeconfig if api is None else through(kubeconfig, api.url)
        scope = {"namespaces": jobs.namespace, "lease_namespace": jobs.namespace}
        made.append(OperatorProcess(where, tmp_path, identity, **(scope | settings)))
        return made[-1]

    try:
        yield make
    finally:
        for process in made:
            process.kill()
    for process in made:
        assert not process.complaints(), process.log[-8000:]


@pytest.fixture
def operator(operators: Operators) -> OperatorProcess:
    """A running operator."""
    return operators().start()


@pytest.fixture
def cluster_operator(finetunejobs: ControlPlane, tmp_path: Path) -> Iterator[OperatorProcess]:
    """A running operator for all namespaces, with a namespace of its own."""
    with finetunejobs.namespace(f"operator-{uuid4().hex[:12]}") as home:
        process = OperatorProcess(operator_kubeconfig(finetunejobs, home, []), tmp_path, home, lease_namespace=home)
        try:
            yield process.start().wait_until_leading()
        finally:
            process.kill()
    assert not process.complaints(), process.log[-8000:]


@pytest.fixture
def api(finetunejobs: ControlPlane) -> Iterator[FaultyApi]:
    """A proxy in front of the API server that makes trouble."""
    with faulty_api(finetunejobs) as proxy:
        yield proxy
