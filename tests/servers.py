"""Servers that tests talk to over loopback: a real S3 server, and a proxy that fails on purpose."""

import math
import secrets
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

START_SECONDS = 30
HOST = "127.0.0.1"


@dataclass(frozen=True)
class S3Server:
    """A running server: where it is, and the one key that opens it."""

    url: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    root: Path
    """A bucket is a folder in here, an object a file in that."""

    def credentials(self, folder: Path, **files: str) -> Path:
        """A credentials folder that opens this server; ``files`` replace or add to its files."""
        folder.mkdir(parents=True, exist_ok=True)
        keys = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key, **files}
        for name, value in keys.items():
            (folder / name).write_text(f"{value}\n")
        return folder

    def client(self) -> Any:
        """boto3's own client, to look at the server past our code."""
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )


@contextmanager
def s3_server(
    binary: Path, folder: Path, *, certificate: Path | None = None, key: Path | None = None
) -> Iterator[S3Server]:
    """Run versitygw on files below ``folder``, with random keys, on a free port; over TLS if given a certificate."""
    root, metadata = folder / "buckets", folder / "metadata"
    root.mkdir(parents=True)
    metadata.mkdir()
    port = free_port()
    server = S3Server(
        f"{'https' if certificate else 'http'}://{HOST}:{port}", secrets.token_hex(10), secrets.token_hex(20), root
    )
    options = ["--cert", str(certificate), "--key", str(key)] if certificate else []
    # Metadata in files of their own: extended attributes are not to be had on every file system.
    command: list[str | Path] = [binary, "--port", f"{HOST}:{port}", "--quiet", *options]
    command += ["posix", "--sidecar", metadata, root]
    environment = {"ROOT_ACCESS_KEY_ID": server.access_key, "ROOT_SECRET_ACCESS_KEY": server.secret_key}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _wait_until_open(port, process, folder / "server.log")
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((HOST, port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"versitygw did not start:\n{log.read_text()[-4000:]}")


def make_certificate(folder: Path, names: str = f"IP:{HOST}") -> tuple[Path, Path]:
    """A certificate that signs itself, and its key.

    Raises:
        FileNotFoundError: there is no openssl here.
    """
    certificate, key = folder / "tls.crt", folder / "tls.key"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=test"
    options = ["-addext", f"subjectAltName={names}", "-out", str(certificate), "-keyout", str(key)]
    subprocess.run([*command.split(), *options], check=True, capture_output=True)
    return certificate, key


@contextmanager
def http_server(
    handler: type[BaseHTTPRequestHandler], *, certificate: Path | None = None, key: Path | None = None
) -> Iterator[str]:
    """Serve with that handler on a free port, over TLS if given a certificate; gives the URL."""
    with ThreadingHTTPServer((HOST, 0), handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"{'https' if certificate else 'http'}://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def proxy(
    upstream: str,
    fails: Callable[[int], bool] = lambda _: False,
    alter: Callable[[str, bytes], bytes] = lambda _, content: content,
    refuses: Callable[[str, str], int | None] = lambda method, path: None,
    delay_seconds: float = 0.0,
    bytes_per_second: float = math.inf,
) -> Iterator[str]:
    """A proxy that makes trouble.

    It answers 503 to the nth request (counted from 1) where ``fails(n)``, and else asks ``upstream``. ``alter`` is
    given the method and the content of each answer, and gives the content to pass on. ``refuses`` is given method and
    path of each request, and gives the status to refuse it with; 0 closes the connection after half of the request.
    ``bytes_per_second`` is what all requests together may bring.
    """
    requests = 0
    counting, line = threading.Lock(), threading.Lock()

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            nonlocal requests
            time.sleep(delay_seconds)
            self.close_connection = True
            length = int(self.headers.get("Content-Length", 0))
            refused = refuses(self.command, self.path)
            if refused == 0:
                self.rfile.read(length // 2)
                return
            body = self.rfile.read(length)
            with line:
                time.sleep(length / bytes_per_second)
            with counting:
                requests += 1
                failed = fails(requests)
            if failed or refused:
                self.send_response(refused or 503)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            connection = HTTPConnection(upstream.removeprefix("http://"))
            try:
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():  # the signature covers them, Host included
                    if name != "Expect":
                        connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                content = answer.read() if self.command == "HEAD" else alter(self.command, answer.read())
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("date", "server", "connection", "transfer-encoding", "content-length"):
                        self.send_header(name, value)
                size = answer.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(content))
                self.send_header("Content-Length", size)
                self.end_headers()
                self.wfile.write(content)
            finally:
                connection.close()

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = forward  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    with http_server(Proxy) as url:
        yield url
