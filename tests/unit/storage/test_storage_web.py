"""https: a real server on loopback, which is an internal address: the tests name it as one that may be read."""

import hashlib
import re
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from finetune_core.contract import Place
from finetune_core.errors import FinetuneError, InvalidSpec, NotFound, StorageError
from finetune_storage import Data, fetch_dataset, web
from servers import free_port, http_server, make_certificate

ROWS = b'{"instruction": "q", "output": "a"}\n' * 40
SECRET = "?X-Amz-Signature=" + "hidden"
Page = Callable[["Site"], None]


class Site(BaseHTTPRequestHandler):
    """A web server with a few pages; each is told by a function."""

    protocol_version = "HTTP/1.1"
    pages: dict[str, Page]
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.pages[urlsplit(self.path).path](self)

    def answer(self, content: bytes = b"", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content_Length": str(len(content))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def break_off(self) -> None:
        self.close_connection = True

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    try:
        names = "IP:127.0.0.1,DNS:localhost,DNS:data.example"
        return make_certificate(tmp_path_factory.mktemp("authority"), names)
    except FileNotFoundError:
        pytest.skip("there is no openssl here to make a certificate with")


@pytest.fixture
def site(authority: tuple[Path, Path]) -> Iterator[tuple[str, type[Site]]]:
    class This(Site):
        pages: dict[str, Page] = {"/rows.jsonl": lambda site: site.answer(ROWS)}  # noqa: RUF012
        asked: list[str] = []  # noqa: RUF012

    certificate, key = authority
    with http_server(This, certificate=certificate, key=key) as url:
        yield url, This


@pytest.fixture
def trusting(authority: tuple[Path, Path], tmp_path: Path) -> str:
    """A Secret with the server's certificate authority."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "ca.crt").write_bytes(authority[0].read_bytes())
    return str(tmp_path / "secret")


@pytest.fixture(autouse=True)
def loopback_may_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETUNE_INTERNAL_HOSTS", "intranet.example, 127.0.0.1")


@pytest.fixture(autouse=True)
def no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "FIRST_WAIT_SECONDS", 0.01)


@pytest.fixture
def get(trusting: str, tmp_path: Path) -> Callable[..., Data]:
    def get(url: str, credentials: str | None = trusting, sha256: str | None = None) -> Data:
        return fetch_dataset(Place(uri=url, credentials=credentials), tmp_path / "into", sha256=sha256)

    return get


@pytest.fixture
def refused(get: Callable[..., Data], tmp_path: Path) -> Callable[..., str]:
    """What is said of an address that must not be had: one line, no secret, and nothing is left on the disk."""

    def refused(url: str, kind: type[FinetuneError] = StorageError, **options: Any) -> str:
        with pytest.raises(FinetuneError) as caught:
            get(url, **options)
        assert type(caught.value) is kind
        said = str(caught.value)
        assert "\n" not in said
        assert "hidden" not in said
        assert "hidden" not in "".join(traceback.format_exception(caught.value))
        into = tmp_path / "into"
        assert list(into.iterdir() if into.exists() else ()) == []
        return said

    return refused


def test_a_file_is_fetched_hashed_and_named_without_its_signature(
    site: tuple[str, type[Site]], get: Callable[..., Data], tmp_path: Path
) -> None:
    url, pages = site
    data = get(f"{url}/rows.jsonl{SECRET}", sha256=hashlib.sha256(ROWS).hexdigest())
    (file,) = data.files
    assert (file.path, file.path.read_bytes()) == (tmp_path / "into" / "rows.jsonl", ROWS)
    assert file.sha256 == hashlib.sha256(ROWS).hexdigest()
    assert data.source == f"{url}/rows.jsonl"
    assert pages.asked == [f"/rows.jsonl{SECRET}"]


def test_other_content_than_the_checksum_says(site: tuple[str, type[Site]], get: Callable[..., Data]) -> None:
    with pytest.raises(StorageError, match=r"/rows.jsonl: its SHA-256 is [0-9a-f]{64}, not 0{64} as dataset.sha256"):
        get(f"{site[0]}/rows.jsonl", sha256="0" * 64)


def test_the_bytes_are_kept_as_they_are_sent(site: tuple[str, type[Site]], get: Callable[..., Data]) -> None:
    url, pages = site
    pages.pages["/"] = lambda site: site.answer(b"\x1f\x8b not gzip", Content_Encoding="gzip")
    (file,) = get(f"{url}/").files
    assert (file.path.name, file.path.read_bytes()) == ("data", b"\x1f\x8b not gzip")


@pytest.mark.parametrize("name", ["a" * 300 + ".jsonl", "%E6%95%B0" * 90 + ".csv"], ids=["long", "chinese"])
def test_a_long_name_keeps_its_end(site: tuple[str, type[Site]], get: Callable[..., Data], name: str) -> None:
    url, pages = site
    pages.pages[f"/{name}"] = lambda site: site.answer(ROWS)
    assert get(f"{url}/{name}").files[0].path.suffix == f".{name.rpartition('.')[2]}"


# Whom it trusts


def test_an_authority_that_is_not_trusted(site: tuple[str, type[Site]], refused: Callable[..., str]) -> None:
    said = refused(f"{site[0]}/rows.jsonl{SECRET}", credentials=None)
    assert re.search(
        r"no trusted connection \(self.signed certificate\): put the certificate authority in ca.crt", said
    )
    assert site[1].asked == []


def test_a_certificate_of_another_host(
    site: tuple[str, type[Site]], refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **options: real("127.0.0.1", *rest, **options))
    monkeypatch.setenv("FINETUNE_INTERNAL_HOSTS", "other.example")
    said = refused(site[0].replace("127.0.0.1", "other.example") + "/rows.jsonl")
    assert "no trusted connection (Hostname mismatch" in said
    assert site[1].asked == []


def test_an_authority_that_is_none(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "ca.crt").write_text("no PEM")
    said = refused("https://127.0.0.1/a", credentials=str(tmp_path / "broken"))
    assert said == f"{tmp_path}/broken/ca.crt is no certificate: write it as PEM"


# Whom it asks


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.2", "localhost", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1",
        "224.0.0.1", "2130706434", "0x7f.2", "[::1]", "[::]", "[fd00::1]", "[fe80::1]", "[::ffff:127.0.0.2]",
        "[64:ff9b::a9fe:a9fe]", "[2002:a00:1::]", "[ff0e::1]",
    ],
)  # fmt: skip
def test_internal_addresses_are_not_asked(host: str, refused: Callable[..., str]) -> None:
    said = refused(f"https://{host}:{free_port()}/a{SECRET}")
    assert ", an internal address, which a dataset is not read from: name a public host, or have " in said
    assert said.endswith("added to FINETUNE_INTERNAL_HOSTS (in a cluster the operator's settings.internalHosts)")


def test_a_host_with_one_internal_address_is_not_asked(
    site: tuple[str, type[Site]], refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = urlsplit(site[0]).port
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("8.8.8.8", "127.0.0.1")]
    monkeypatch.setattr(web.socket, "getaddrinfo", lambda *_, **__: found)
    assert "data.example is at 127.0.0.1, an internal address" in refused(f"https://data.example:{port}/rows.jsonl")
    assert site[1].asked == []


def test_the_address_that_was_looked_at_is_the_one_connected_to(
    site: tuple[str, type[Site]], get: Callable[..., Data], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server may give another address when it is asked again."""
    real, looked_up = socket.getaddrinfo, []

    def look_up(host: str, *rest: Any, **options: Any) -> Any:
        looked_up.append(host)
        return real({"data.example": "127.0.0.1"}.get(host, host), *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setenv("FINETUNE_INTERNAL_HOSTS", "Data.Example")
    assert get(site[0].replace("127.0.0.1", "data.example") + "/rows.jsonl").files[0].path.read_bytes() == ROWS
    assert looked_up.count("data.example") == 1


def test_a_redirect_is_followed(site: tuple[str, type[Site]], get: Callable[..., Data]) -> None:
    url, pages = site
    pages.pages["/a/latest"] = lambda site: site.answer(status=302, Location=f"../rows.jsonl{SECRET}")
    data = get(f"{url}/a/latest")
    assert (data.source, data.files[0].path.read_bytes()) == (f"{url}/a/latest", ROWS)


@pytest.mark.parametrize(
    ("leads_to", "said"),
    [
        ("http://127.0.0.1/rows.jsonl" + SECRET, "redirects to http, and only https is followed"),
        ("file:///etc/passwd", "redirects to file, and only https is followed"),
        ("s3://bucket/a", "redirects to s3, and only https is followed"),
        ("", "redirects to nowhere, and only https is followed"),
        ("https://user:hidden@127.0.0.1/a", "redirects to an address that is none"),
        ("https://[::1/a" + SECRET, "redirects to "),
        ("https://localhost:1/a" + SECRET, "localhost is at 127.0.0.1, an internal address"),
        ("https://169.254.169.254/latest/meta-data/", "169.254.169.254 is at 169.254.169.254, an internal address"),
        ("/loop", "redirects more than 5 times: name the file's own address"),
    ],
)
def test_a_redirect_that_leads_astray(
    site: tuple[str, type[Site]], refused: Callable[..., str], leads_to: str, said: str
) -> None:
    url, pages = site
    pages.pages["/loop"] = lambda site: site.answer(status=307, Location=leads_to)
    assert said in refused(f"{url}/loop{SECRET}")
    assert len(pages.asked) == (6 if leads_to == "/loop" else 1)


# What it takes


def endless(site: Site) -> None:
    site.send_response(200)
    site.send_header("Transfer-Encoding", "chunked")
    site.end_headers()
    while True:
        site.wfile.write(b"400\r\n" + bytes(1024) + b"\r\n")


def test_a_file_over_the_limit_is_not_begun(
    site: tuple[str, type[Site]], refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINETUNE_MAX_DATASET_BYTES", "1000")
    assert refused(f"{site[0]}/rows.jsonl{SECRET}") == (
        f"{site[0]}/rows.jsonl has {len(ROWS):,} bytes, and the limit is 1,000: train on a part of it, or raise "
        "FINETUNE_MAX_DATASET_BYTES (in a cluster the operator's settings.maxDatasetBytes)"
    )


def test_a_file_without_an_end_is_stopped_at_the_limit(
    site: tuple[str, type[Site]], refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, pages = site

    def until_hung_up(site: Site) -> None:
        with pytest.raises(OSError, match=r"."):
            endless(site)
        site.break_off()

    pages.pages["/endless"] = until_hung_up
    monkeypatch.setenv("FINETUNE_MAX_DATASET_BYTES", "100000")
    assert f"{url}/endless has more than 100,000 bytes, and the limit is 100,000" in refused(f"{url}/endless{SECRET}")


def test_a_limit_that_is_no_number(
    site: tuple[str, type[Site]], refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINETUNE_MAX_DATASET_BYTES", "4Gi")
    assert "FINETUNE_MAX_DATASET_BYTES='4Gi' is no number" in refused(f"{site[0]}/rows.jsonl", InvalidSpec)


def cut_short(site: Site) -> None:
    site.answer(ROWS[:100], Content_Length=str(len(ROWS)))
    site.break_off()


def test_a_download_cut_short_each_time(site: tuple[str, type[Site]], refused: Callable[..., str]) -> None:
    url, pages = site
    pages.pages["/short"] = cut_short
    assert refused(f"{url}/short{SECRET}") == (
        f"{url}/short was cut short: 100 of {len(ROWS):,} bytes came: try again later (4 attempts)"
    )
    assert len(pages.asked) == 4


def test_a_server_that_recovers_is_asked_again(site: tuple[str, type[Site]], get: Callable[..., Data]) -> None:
    url, pages = site
    troubles: list[Page] = [
        lambda site: site.answer(status=503),
        lambda site: site.answer(status=429, Retry_After="0"),
        cut_short,
        lambda site: site.answer(ROWS),
    ]
    pages.pages["/rows"] = lambda site: troubles.pop(0)(site)
    assert get(f"{url}/rows").files[0].sha256 == hashlib.sha256(ROWS).hexdigest()
    assert troubles == []


def test_a_server_that_stalls(
    site: tuple[str, type[Site]], refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, pages = site
    over = threading.Event()

    def stall(site: Site) -> None:
        site.answer(ROWS[:100], Content_Length=str(len(ROWS)))
        over.wait(20)
        site.break_off()

    pages.pages["/slow"] = stall
    monkeypatch.setattr(web, "STALL_TIMEOUT_SECONDS", 0.1)
    try:
        assert "/slow: nothing came for 0.1 s after 100 bytes: try again later" in refused(f"{url}/slow{SECRET}")
    finally:
        over.set()


@pytest.mark.parametrize(
    ("status", "kind", "said", "attempts"),
    [
        (404, NotFound, "nothing lies at {} (404): check the address", 1),
        (403, StorageError, "{} is closed to us (403): check the address, and whether its signature is over", 1),
        (418, StorageError, "{}: the server answered 418: check the address", 1),
        (500, StorageError, "{}: the server answered 500: try again later (4 attempts)", 4),
    ],
)
def test_what_the_server_refuses(
    site: tuple[str, type[Site]],
    refused: Callable[..., str],
    status: int,
    kind: type[FinetuneError],
    said: str,
    attempts: int,
) -> None:
    url, pages = site
    pages.pages["/page"] = lambda site: site.answer(b"hidden", status)
    assert refused(f"{url}/page{SECRET}", kind) == said.format(f"{url}/page")
    assert len(pages.asked) == attempts


def test_a_host_that_nobody_listens_on(refused: Callable[..., str]) -> None:
    url = f"https://127.0.0.1:{free_port()}/a"
    said = refused(f"{url}{SECRET}")
    assert said == f"{url}: no answer (ConnectError): check the host, and that it is up (4 attempts)"


def test_a_host_that_is_not_there(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    assert "https://data.example/a: no host of that name was found" in refused(f"https://data.example/a{SECRET}")


def test_a_server_that_speaks_no_http(refused: Callable[..., str]) -> None:
    class Plain(Site):
        pages: dict[str, Page] = {}  # noqa: RUF012
        asked: list[str] = []  # noqa: RUF012

    with http_server(Plain) as url:
        assert "no answer (ConnectError)" in refused(url.replace("http:", "https:") + "/a")
