"""A real Kubernetes control plane over loopback: etcd, kube-apiserver and kube-controller-manager, and no nodes.

Only the controllers that the tests need are run. Nothing schedules a pod or runs one: ``pod_runner`` plays that part.
"""

import json
import secrets
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, TypeVar

from go_binaries import go_binary
from servers import HOST, free_port

Json = dict[str, Any]
T = TypeVar("T")

START_SECONDS = 60
UNREACHABLE = (ConnectionError, TimeoutError, HTTPException, ssl.SSLError)
"""What a request raises while the API server is down, or on its way up or down."""

CONTROLLERS = (
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "persistentvolumeclaim-protection-controller",  # else a claim keeps its finalizer, and never goes
    "serviceaccount-controller",
    "serviceaccount-token-controller",
)


def wait_for(what: Callable[[], T | None], seconds: float = 30, every: float = 0.05) -> T:
    """Ask again and again until the answer is something, and give it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := what():
            return answer
        time.sleep(every)
    raise TimeoutError(f"nothing after {seconds:.0f} s")


class _Server:
    """A program that serves until it is stopped; what it prints is added to a file."""

    def __init__(self, command: list[str | Path], log: Path) -> None:
        self._command = command
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            # An empty environment: a proxy in it would stand between these servers.
            self._process = subprocess.Popen(self._command, env={}, stdout=log, stderr=log)

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait until it serves.

        Raises:
            RuntimeError: it ended, or takes too long; with the last it printed.
        """
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if ready():
                    return
            except UNREACHABLE:
                pass  # not yet
            time.sleep(0.05)
        raise RuntimeError(f"{self._log.stem} did not start:\n{self._log.read_text()[-4000:]}")

    def stop(self) -> None:
        # Killed: an API server that is asked to stop first waits a minute for those who watch it.
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class ControlPlane:
    """The running control plane, and ways to talk to it."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._binaries = {
            name: go_binary(name, say) for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
        }
        self._port = free_port()
        self.url = f"https://{HOST}:{self._port}"
        self.admin_token = secrets.token_hex(16)
        self.certificate, self.key = _certificate(folder)
        self._trust = ssl.create_default_context(cafile=self.certificate)
        self.kubeconfig = self._write_kubeconfig("admin", self.admin_token)
        etcd_url = f"http://{HOST}:{free_port()}"
        self._etcd = self._server("etcd", _etcd_options(folder / "etcd", etcd_url))
        self._api_server = self._server("kube-apiserver", self._api_server_options(etcd_url))
        self._controller_manager = self._server("kube-controller-manager", self._controller_manager_options())

    def start(self) -> None:
        """Start all servers; returns when pods can be made in the default namespace."""
        self._etcd.start()
        self.start_api_server()
        self._controller_manager.start()
        self._controller_manager.wait_until(lambda: self._has_service_account("default"))

    def stop(self) -> None:
        """Stop all servers."""
        self._controller_manager.stop()
        self.stop_api_server()
        self._etcd.stop()

    def start_api_server(self) -> None:
        """Start the API server on its one port, with all it had stored."""
        self._api_server.start()
        self._api_server.wait_until(lambda: self.request("GET", "/readyz")[0] == 200)

    def stop_api_server(self) -> None:
        """Stop the API server alone: what it stored stays in etcd, and the controllers wait for it."""
        self._api_server.stop()

    def restart_api_server(self) -> None:
        """Stop the API server and start it again."""
        self.stop_api_server()
        self.start_api_server()

    def restart_controller_manager(self) -> None:
        """Let the garbage collector see new kinds at once.

        It looks for kinds when it starts and then every 30 seconds. Until it knows a custom resource, deleting one
        leaves what it owns: 40 s were measured right after a definition was made.
        """
        self.stop_controller_manager()
        self._controller_manager.start()

    def stop_controller_manager(self) -> None:
        """Leave objects as they are: no Job gets a pod, nothing is collected."""
        self._controller_manager.stop()

    def request(
        self, method: str, path: str, body: Json | None = None, content_type: str = "application/json"
    ) -> tuple[int, Json]:
        """Ask the API server as admin: the status and the content, which is under ``text`` if it is no JSON."""
        connection = HTTPSConnection(HOST, self._port, timeout=30, context=self._trust)
        try:
            headers = {"Authorization": f"Bearer {self.admin_token}", "Content-Type": content_type}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        is_json = answer.getheader("Content-Type", "").startswith("application/json")
        return answer.status, json.loads(content) if is_json else {"text": content.decode()}

    def kubectl(
        self, *arguments: str, input: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as admin; ``check``: a failure of it fails the test, with what it said."""
        ended = subprocess.run(
            [self._binaries["kubectl"], *arguments],
            env={"KUBECONFIG": str(self.kubeconfig), "HOME": str(self._folder)},  # it keeps a cache in HOME
            input=input,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert not check or ended.returncode == 0, f"kubectl {' '.join(arguments)}: {ended.stderr}"
        return ended

    def json(self, *arguments: str) -> Json:
        """What ``kubectl get`` with these arguments finds."""
        found: Json = json.loads(self.kubectl("get", "-o", "json", *arguments).stdout)
        return found

    @contextmanager
    def namespace(self, name: str) -> Iterator[str]:
        """A new namespace in which pods can be made; in the end its deletion is begun, not awaited."""
        status, answer = self.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        assert status == 201, answer
        wait_for(lambda: self._has_service_account(name))
        try:
            yield name
        finally:
            self.request("DELETE", f"/api/v1/namespaces/{name}")

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig that has the rights of that service account, for an hour."""
        token = self.kubectl("create", "token", name, "--namespace", namespace).stdout.strip()
        return self._write_kubeconfig(f"{namespace}-{name}", token, namespace)

    def _has_service_account(self, namespace: str) -> bool:
        return self.request("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/default")[0] == 200

    def _write_kubeconfig(self, user: str, token: str, namespace: str = "default") -> Path:
        path = self._folder / f"{user}.kubeconfig"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "test", "cluster": {"server": self.url, "certificate-authority": str(self.certificate)}}
            ],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user, "namespace": namespace}}],
            "current-context": "test",
        }
        path.write_text(json.dumps(content))
        return path

    def _server(self, name: str, options: dict[str, object]) -> _Server:
        command: list[str | Path] = [
            self._binaries[name],
            *(f"--{option}={value}" for option, value in options.items()),
        ]
        return _Server(command, self._folder / f"{name}.log")

    def _api_server_options(self, etcd_url: str) -> dict[str, object]:
        tokens = self._folder / "tokens.csv"
        tokens.write_text(f"{self.admin_token},admin,admin,system:masters\n")
        return {
            "etcd-servers": etcd_url,
            "bind-address": HOST,
            "advertise-address": HOST,
            "secure-port": self._port,
            "endpoint-reconciler-type": "none",  # a loopback address may not be an endpoint
            "service-cluster-ip-range": "10.0.0.0/24",
            "authorization-mode": "RBAC",
            "token-auth-file": tokens,
            "tls-cert-file": self.certificate,
            "tls-private-key-file": self.key,
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-signing-key-file": self.key,
            "service-account-key-file": self.certificate,
            "kubelet-preferred-address-types": "InternalIP",
        }

    def _controller_manager_options(self) -> dict[str, object]:
        return {
            "kubeconfig": self.kubeconfig,
            "controllers": ",".join(CONTROLLERS),
            "service-account-private-key-file": self.key,
            "leader-elect": "false",
            "secure-port": 0,  # nobody asks it anything
            "kube-api-qps": 1000,
            "kube-api-burst": 1000,
        }


@contextmanager
def run_control_plane(folder: Path, say: Callable[[str], None]) -> Iterator[ControlPlane]:
    """Run a control plane on free ports; its data, keys and logs are in ``folder``.

    ``say`` is told when a binary has to be built first.

    Raises:
        GoMissing: it has, and there is no Go.
    """
    plane = ControlPlane(folder, say)
    with ExitStack() as stack:
        stack.callback(plane.stop)
        plane.start()
        yield plane


def _etcd_options(data: Path, url: str) -> dict[str, object]:
    peers = f"http://{HOST}:{free_port()}"
    return {
        "data-dir": data,
        "listen-client-urls": url,
        "advertise-client-urls": url,
        "listen-peer-urls": peers,
        "initial-advertise-peer-urls": peers,
        "initial-cluster": f"default={peers}",
        "unsafe-no-fsync": "true",  # nothing here outlives the tests
    }


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate that is its own authority, and its key: they serve TLS and sign service accounts' tokens."""
    certificate, key = folder / "tls.crt", folder / "tls.key"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test"
    extensions = ["subjectAltName=IP:127.0.0.1", "keyUsage=critical,digitalSignature,keyCertSign"]
    subprocess.run(
        [
            *command.split(),
            *(word for one in extensions for word in ("-addext", one)),
            "-out",
            certificate,
            "-keyout",
            key,
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key
