"""S3 alone: parts, checksums, fetching, and where credentials and endpoint come from."""

import base64
import hashlib
import os
import zlib
from pathlib import Path

import pytest

from finetune_core.contract import Place
from finetune_core.errors import NotFound, StorageError
from finetune_storage import fetch, open_folder
from servers import S3Server, make_certificate, proxy, s3_server

LARGE = 40 * 2**20  # three parts


@pytest.fixture(scope="session")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("large") / "weights.safetensors"
    file.write_bytes(os.urandom(LARGE))
    return file


def crc32(content: bytes) -> str:
    """As S3 writes it."""
    return base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()


def test_a_large_file_goes_in_parts_and_the_server_verified_the_whole(
    s3: S3Server, bucket: str, place: Place, large_file: Path, tmp_path: Path
) -> None:
    content = large_file.read_bytes()
    folder = open_folder(place)
    stored = folder.upload(large_file, "model/weights.safetensors")
    assert (stored.size_bytes, stored.sha256) == (LARGE, hashlib.sha256(content).hexdigest())

    head = s3.client().head_object(Bucket=bucket, Key="runs/one/model/weights.safetensors", ChecksumMode="ENABLED")
    assert head["ETag"].endswith('-3"')
    assert (head["ChecksumType"], head["ChecksumCRC32"]) == ("FULL_OBJECT", crc32(content))

    folder.download("model/weights.safetensors", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content


def test_the_server_verified_small_files_too(s3: S3Server, bucket: str, place: Place, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"uploaded")
    folder = open_folder(place)
    folder.upload(tmp_path / "a", "a")
    folder.write("b", b"written")
    for name, content in (("a", b"uploaded"), ("b", b"written")):
        head = s3.client().head_object(Bucket=bucket, Key=f"runs/one/{name}", ChecksumMode="ENABLED")
        assert head["ChecksumCRC32"] == crc32(content)


def test_a_store_without_checksums_is_read_back(
    s3: S3Server, bucket: str, place: Place, large_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    stored = open_folder(place).upload(large_file, "a")
    assert stored.sha256 == hashlib.sha256(large_file.read_bytes()).hexdigest()
    head = s3.client().head_object(Bucket=bucket, Key="runs/one/a", ChecksumMode="ENABLED")
    assert "ChecksumCRC32" not in head

    def damage(method: str, content: bytes) -> bytes:
        return b"?" + content[1:] if method == "GET" else content

    with (
        proxy(s3.url, alter=damage) as url,
        pytest.raises(StorageError, match="is not what was sent: upload it again"),
    ):
        open_folder(place.model_copy(update={"endpoint_url": url})).upload(large_file, "b")


def test_delete_takes_more_than_one_request_may_name(s3: S3Server, bucket: str, place: Place) -> None:
    below = s3.root / bucket / "runs" / "one" / "many"
    below.mkdir(parents=True)
    for number in range(1100):
        (below / str(number)).touch()
    folder = open_folder(place)
    assert sum(1 for _ in folder.list()) == 1100
    folder.delete("many")
    assert list(folder.list()) == []


def test_fetch_gives_one_object_as_a_file(place: Place, tmp_path: Path) -> None:
    open_folder(place).write("data/train.jsonl", b"{}\n")
    path = fetch(place.below("data", "train.jsonl"), tmp_path / "into")
    assert path == tmp_path / "into" / "train.jsonl"
    assert path.read_bytes() == b"{}\n"


def test_fetch_gives_a_prefix_as_a_folder(s3: S3Server, bucket: str, place: Place, tmp_path: Path) -> None:
    folder = open_folder(place.below("model"))
    folder.write("config.json", b"{}")
    folder.write("sub/tokenizer.json", b"[]")
    open_folder(place.below("model-2")).write("config.json", b"a neighbour")
    s3.client().put_object(Bucket=bucket, Key="runs/one/model/empty/")  # as consoles mark a folder
    into = tmp_path / "into"
    for _ in range(2):  # the second time in place of the first
        path = fetch(place.below("model"), into)
        assert path == into / "model"
        files = {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}
        assert files == {"config.json": b"{}", "sub/tokenizer.json": b"[]"}
        assert list(into.iterdir()) == [path]


def test_fetch_without_weights(place: Place, tmp_path: Path) -> None:
    folder = open_folder(place.below("model"))
    for name in ("config.json", "tokenizer.json", "model-00001-of-00001.safetensors"):
        folder.write(name, b"{}")
    path = fetch(place.below("model"), tmp_path, weights=False)
    assert {file.name for file in path.iterdir()} == {"config.json", "tokenizer.json"}


def test_fetch_of_a_whole_bucket(bucket: str, place: Place, tmp_path: Path) -> None:
    open_folder(place).write("a", b"x")
    path = fetch(place.model_copy(update={"uri": f"s3://{bucket}"}), tmp_path)
    assert (path / "runs" / "one" / "a").read_bytes() == b"x"


def test_fetch_of_nothing(place: Place, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=f"nothing lies at {place.uri}/x at .*: check the bucket and the key"):
        fetch(place.below("x"), tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []


@pytest.mark.parametrize("key", ["../../evil.json", "a/../evil.json", "/etc/evil.json", "a//evil.json"])
def test_fetch_refuses_keys_that_lead_out(s3: S3Server, place: Place, tmp_path: Path, key: str) -> None:
    """No honest server stores such a key, so a proxy writes it into the listing."""
    open_folder(place.below("model")).write("innocent.json", b"{}")

    def rename(_: str, content: bytes) -> bytes:
        return content.replace(b"innocent.json", key.encode())

    with proxy(s3.url, alter=rename) as url, pytest.raises(StorageError, match="is no path below"):
        fetch(place.below("model").model_copy(update={"endpoint_url": url}), tmp_path / "in" / "to")
    assert [path for path in (tmp_path / "in").rglob("*") if path.is_file()] == []


def test_without_a_credentials_folder_the_process_is_asked(
    s3: S3Server, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_folder(place).write("a", b"x")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    assert open_folder(Place(uri=place.uri)).read("a") == b"x"


def test_an_endpoint_with_a_private_certificate_authority(versitygw: Path, tmp_path: Path) -> None:
    try:
        certificate, key = make_certificate(tmp_path)
    except FileNotFoundError:
        pytest.skip("there is no openssl here to make a certificate with")
    with s3_server(versitygw, tmp_path / "tls", certificate=certificate, key=key) as server:
        (server.root / "bucket").mkdir()
        trusting = server.credentials(tmp_path / "trusting", **{"ca.crt": certificate.read_text()})
        place = Place(uri="s3://bucket/a", endpoint_url=server.url, credentials=str(trusting))
        (tmp_path / "local").write_bytes(bytes(LARGE))
        open_folder(place).upload(tmp_path / "local", "large")
        assert [entry.size_bytes for entry in open_folder(place).list()] == [LARGE]

        wary = place.model_copy(update={"credentials": str(server.credentials(tmp_path / "wary"))})
        with pytest.raises(StorageError, match=r"no trusted connection .*put the certificate authority in ca\.crt"):
            open_folder(wary).read("large")
