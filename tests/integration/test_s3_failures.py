"""What people are told when S3 refuses, is not there, or fails half-way."""

import time
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from finetune_core.contract import Place
from finetune_core.errors import NotFound, StorageError
from finetune_storage import Folder, fetch, open_folder
from servers import S3Server, free_port, http_server, proxy

USES: dict[str, Callable[[Place, Path], object]] = {
    "list": lambda place, local: list(open_folder(place).list()),
    "read": lambda place, local: open_folder(place).read("a"),
    "write": lambda place, local: open_folder(place).write("a", b"x"),
    "upload": lambda place, local: open_folder(place).upload(local, "a"),
    "download": lambda place, local: open_folder(place).download("a", local),
    "delete": lambda place, local: open_folder(place).delete("a"),
    "fetch": lambda place, local: fetch(place, local.parent),
}


@pytest.fixture(params=USES.values(), ids=USES.keys())
def message(request: pytest.FixtureRequest, s3: S3Server, tmp_path: Path) -> Callable[[Place], str]:
    """What each use of a place says when it must fail; never a secret, always one line that names the place."""

    def fail(place: Place) -> str:
        local = tmp_path / "local" / "file"
        local.parent.mkdir()
        local.write_bytes(b"untouched")
        with pytest.raises(StorageError) as caught:
            request.param(place, local)
        said = str(caught.value)
        assert not isinstance(caught.value, NotFound)
        assert "\n" not in said
        assert place.uri in said
        assert place.endpoint_url in said
        everything = said + "".join(traceback.format_exception(caught.value))
        assert s3.access_key not in everything
        assert s3.secret_key not in everything
        assert "wrong-" not in everything
        assert local.read_bytes() == b"untouched"
        assert list(local.parent.iterdir()) == [local]
        return said

    return fail


def with_keys(place: Place, s3: S3Server, tmp_path: Path, **files: str) -> Place:
    return place.model_copy(update={"credentials": str(s3.credentials(tmp_path / "other", **files))})


def test_an_unknown_access_key(s3: S3Server, place: Place, tmp_path: Path, message: Callable[[Place], str]) -> None:
    said = message(with_keys(place, s3, tmp_path, AWS_ACCESS_KEY_ID="wrong-key"))
    assert "the store does not know the access key: check AWS_ACCESS_KEY_ID" in said


def test_a_wrong_secret_key(s3: S3Server, place: Place, tmp_path: Path, message: Callable[[Place], str]) -> None:
    said = message(with_keys(place, s3, tmp_path, AWS_SECRET_ACCESS_KEY="wrong-secret"))
    assert "the signature is wrong: check AWS_SECRET_ACCESS_KEY" in said


def test_a_missing_bucket(place: Place, message: Callable[[Place], str]) -> None:
    said = message(place.model_copy(update={"uri": "s3://no-such-bucket/a"}))
    assert "there is no such bucket: create it, or correct the bucket's name" in said


def test_an_endpoint_that_nobody_listens_on(place: Place, message: Callable[[Place], str]) -> None:
    started = time.monotonic()
    said = message(place.model_copy(update={"endpoint_url": f"http://127.0.0.1:{free_port()}"}))
    assert "no answer" in said
    assert "check the endpoint" in said
    assert time.monotonic() - started < 15


def test_no_credentials_at_all(place: Place, message: Callable[[Place], str]) -> None:
    said = message(place.model_copy(update={"credentials": None}))
    assert "give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in said


def test_half_a_pair_of_keys(s3: S3Server, place: Place, tmp_path: Path) -> None:
    (s3.credentials(tmp_path / "half") / "AWS_SECRET_ACCESS_KEY").unlink()
    with pytest.raises(StorageError, match="no complete S3 credentials"):
        open_folder(place.model_copy(update={"credentials": str(tmp_path / "half")}))


def test_an_endpoint_that_is_not_s3(place: Place, message: Callable[[Place], str]) -> None:
    class WebSite(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(403)
            self.end_headers()
            self.wfile.write(b"<html>wrong-door</html>")

        do_GET = do_HEAD = do_PUT = do_POST = answer  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    with http_server(WebSite) as url:
        message(place.model_copy(update={"endpoint_url": url}))


def test_an_endpoint_that_is_no_url_shows_no_password(place: Place) -> None:
    with pytest.raises(StorageError, match="its endpoint is no URL of a host") as caught:
        open_folder(place.model_copy(update={"endpoint_url": "http://user:hidden@bad host"}))
    assert "hidden" not in str(caught.value)


def test_a_region_that_can_be_none(place: Place) -> None:
    with pytest.raises(StorageError, match=r"InvalidRegionError.*: check the endpoint, the region and the credentials"):
        open_folder(place.model_copy(update={"region": "no region"}))


@pytest.fixture
def two_parts(tmp_path: Path) -> Path:
    file = tmp_path / "two-parts"
    file.write_bytes(bytes(20 * 2**20))
    return file


def test_a_server_that_fails_twice_is_asked_again(s3: S3Server, place: Place, two_parts: Path, tmp_path: Path) -> None:
    with proxy(s3.url, fails=lambda n: n in (1, 2, 5)) as url:
        folder = open_folder(place.model_copy(update={"endpoint_url": url}))
        folder.upload(two_parts, "a")
        folder.download("a", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == two_parts.read_bytes()


def paths(folder: Folder) -> list[str]:
    return [entry.path for entry in folder.list()]


def test_a_server_that_dies_during_an_upload_leaves_nothing_finished(
    s3: S3Server, place: Place, two_parts: Path
) -> None:
    with proxy(s3.url, fails=lambda n: n > 2) as url, pytest.raises(StorageError, match=r"a below s3://.* 503"):
        open_folder(place.model_copy(update={"endpoint_url": url})).upload(two_parts, "a")
    assert paths(open_folder(place)) == []


def test_a_server_that_dies_during_a_fetch_leaves_nothing_finished(
    s3: S3Server, place: Place, two_parts: Path, tmp_path: Path
) -> None:
    folder = open_folder(place.below("model"))
    folder.write("a", b"x")
    folder.upload(two_parts, "b")
    into = tmp_path / "into"
    with proxy(s3.url, fails=lambda n: n > 6) as url, pytest.raises(StorageError, match="503"):
        fetch(place.below("model").model_copy(update={"endpoint_url": url}), into)
    assert list(into.iterdir()) == []
