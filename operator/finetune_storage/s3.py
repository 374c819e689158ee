"""S3 and what speaks like it: the only file that knows boto3.

Every timeout and retry is set here, at the top.
"""

import hashlib
import re
import zlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    SSLError,
)
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.parsers import ResponseParserError
from s3transfer.exceptions import RetriesExceededError, S3DownloadFailedError, S3ValidationError
from s3transfer.manager import TransferManager
from s3transfer.subscribers import BaseSubscriber

from finetune_core.api.location import S3Uri
from finetune_core.contract import ManifestFile, Place
from finetune_core.errors import NotFound, StorageError
from finetune_storage.choice import bounded, choose
from finetune_storage.credentials import read_credentials
from finetune_storage.dataset import Data, DataFile, Receiver, refuse_oversize
from finetune_storage.folder import WEIGHTS_SUFFIX, Entry, checked_path, refuse_large
from finetune_storage.local import os_errors, replacing, replacing_tree
from finetune_storage.meter import Meter, Tell

# An endpoint that is not there costs MAX_ATTEMPTS x CONNECT_TIMEOUT_SECONDS, 15 seconds (one that refuses, about one):
# a person waits for the answer. 3 seconds allow for one lost packet of the TCP handshake. A store that has taken the
# connection may think for longer: joining the parts of a large file takes time.
MAX_ATTEMPTS = 5
CONNECT_TIMEOUT_SECONDS = 3
READ_TIMEOUT_SECONDS = 60

# S3 takes 10,000 parts: files up to 156 GiB. Ten parts are held in memory at once.
PART_BYTES = 16 * 2**20

_DELETE_BATCH = 1000  # what one DeleteObjects request may name

_TRANSFER = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)

# Parts that are under way, and the questions about the objects that come next.
_CONNECTIONS = _TRANSFER.max_request_concurrency + _TRANSFER.max_submission_concurrency

_UNKNOWN_KEY = "the store does not know the access key: check AWS_ACCESS_KEY_ID"
_DENIED = "access is denied: allow these credentials to list, read, write and delete there"
_OLD_TOKEN = "the session token is not valid, or no longer: renew AWS_SESSION_TOKEN"
_CLOCK = "the clocks of the store and of this machine differ: set this machine's clock"
_ADVICE = {
    "AccessDenied": _DENIED,
    "403": _DENIED,
    "AllAccessDisabled": _DENIED,
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "XAdminUserNotFound": _UNKNOWN_KEY,  # versitygw's word for it
    "SignatureDoesNotMatch": "the signature is wrong: check AWS_SECRET_ACCESS_KEY",
    "ExpiredToken": _OLD_TOKEN,
    "InvalidToken": _OLD_TOKEN,
    "RequestTimeTooSkewed": _CLOCK,
    "NoSuchBucket": "there is no such bucket: create it, or correct the bucket's name",
    "BadDigest": "the bytes that arrived are not those that were sent: try again",
}


def fetch(place: Place, location: S3Uri, into: Path, weights: bool = True, tell: Tell | None = None) -> Path:
    """Download the object at ``place``, or all below that prefix (``weights`` false: all but safetensors).

    Raises:
        NotFound: there is neither.
        StorageError: it could not be read, is too many files, has a key that leads out of the folder, or finds no room.
    """
    folder = S3Folder(place, location)
    name = (location.key or location.bucket).rpartition("/")[2]
    target = into / checked_path(name, str(into))
    if location.key:
        # The object first: that needs the right to read it, and not the right to list the bucket.
        with suppress(NotFound):
            folder.download_object(location.key, target)
            return target
    with replacing_tree(target) as partial:
        there = bounded(folder.list(), folder.where)
        wanted = [entry for entry in there if weights or not entry.path.endswith(WEIGHTS_SUFFIX)]
        if not wanted:
            raise NotFound(f"nothing lies at {folder.where}: check the bucket and the key")
        folder.download_all(wanted, partial, Meter(sum(entry.size_bytes for entry in wanted), tell))
    return target


def fetch_dataset(place: Place, location: S3Uri, into: Path, split: str) -> Data:
    """Download the object at ``place``, or the data below that prefix.

    Raises:
        NotFound: there is neither.
        StorageError: it could not be read, is too large, or its names leave open what is meant.
    """
    folder = S3Folder(place, location)
    if location.key:
        # The object first: that needs the right to read it, and not the right to list the bucket.
        with suppress(NotFound):
            target = into / checked_path(location.key.rpartition("/")[2], str(into))
            return Data(folder.where, (folder.receive(location.key, target),))
    chosen = choose(folder.list(), split, folder.where)
    refuse_oversize(sum(entry.size_bytes for entry in chosen), folder.where)
    return Data(folder.where, tuple(folder.receive_entry(entry, into / entry.path) for entry in chosen))


class S3Folder:
    """A bucket, or a prefix in one. An object appears in S3 only when it is whole."""

    def __init__(self, place: Place, location: S3Uri) -> None:
        self.uri = place.uri
        self.where = place.uri if place.endpoint_url is None else f"{place.uri} at {_public(place.endpoint_url)}"
        self._bucket = location.bucket
        self._prefix = f"{location.key}/" if location.key else ""
        with self._answers():
            self._client = _connect(place)

    def list(self) -> Iterator[Entry]:
        """Every object below the prefix, except the empty ones that mark a folder."""
        with self._answers():
            for key, size_bytes in self._objects(self._prefix):
                if not key.endswith("/"):
                    yield Entry(checked_path(key.removeprefix(self._prefix), self.where), size_bytes)

    def read(self, path: str) -> bytes:
        """A small object's content."""
        key = self._key_of(path)
        with self._answers(path):
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
            with closing(answer["Body"]) as body:
                refuse_large(answer["ContentLength"], f"{path} below {self.where}")
                content: bytes = body.read()
                return content

    def write(self, path: str, data: bytes) -> None:
        """Store ``data`` as an object; S3 verifies its checksum."""
        key = self._key_of(path)
        with self._answers(path):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data)

    def upload(self, local: Path, path: str) -> ManifestFile:
        """Store the local file, in parts where it is large.

        The store's CRC-32 of the whole object is compared with ours; a store that has none is read back.
        """
        key = self._key_of(path)
        # Whose store rejects checksums turns them off for all of AWS's tools, by AWS_REQUEST_CHECKSUM_CALCULATION.
        checksums = self._client.meta.config.request_checksum_calculation == "when_supported"
        extra = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"} if checksums else {}
        with os_errors(local), local.open("rb") as file, self._answers(path):
            source = _Measured(file)
            self._client.upload_fileobj(source, self._bucket, key, ExtraArgs=extra, Config=_TRANSFER)
            stored = self._client.head_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED")
            if stored.get("ChecksumCRC32") != source.crc32 and self._sha256(key) != source.sha256:
                raise StorageError(f"{path} below {self.where} is not what was sent: upload it again")
        return ManifestFile(path=path, size_bytes=source.size_bytes, sha256=source.sha256)

    def download(self, path: str, local: Path) -> None:
        """Make the object a local file."""
        self.download_object(self._key_of(path), local, path)

    def download_object(self, key: str, local: Path, path: str = "") -> None:
        """Make the object of that full key a local file; errors name it by ``path``, below this folder."""
        with replacing(local) as file:
            self._download(key, file, path)

    def download_all(self, entries: Sequence[Entry], local: Path, meter: Meter) -> None:
        """Make listed objects files below a local folder, many at once.

        One transfer manager does them all, which bounds what is under way and what is held in memory, whether the files
        are few and large or many and small. The first that fails ends the others; what they left is the caller's to
        remove.
        """
        ended: SimpleQueue[tuple[Entry, Any]] = SimpleQueue()
        with TransferManager(self._client, _TRANSFER) as manager:
            for entry in entries:
                target = local / entry.path
                target.parent.mkdir(parents=True, exist_ok=True)
                watching = [_Watching(entry, meter, ended)]
                manager.download(self._bucket, self._key_of(entry.path), str(target), subscribers=watching)
            for _ in entries:
                entry, transfer = ended.get()
                with self._answers(entry.path), self._reasons(self._key_of(entry.path)):
                    transfer.result()

    def receive(self, key: str, local: Path, path: str = "") -> DataFile:
        """The same for a file of a dataset: hashed on its way, and no larger than may be fetched."""
        source = f"{path} below {self.where}" if path else self.where
        with replacing(local) as file:
            # It cannot seek, so that the transfer manager writes it in order.
            receiver = Receiver(file, source)
            self._download(key, receiver, path)
        return DataFile(local, receiver.sha256)

    def receive_entry(self, entry: Entry, local: Path) -> DataFile:
        """A listed file of a dataset."""
        return self.receive(self._key_of(entry.path), local, entry.path)

    def _download(self, key: str, file: BinaryIO | Receiver, path: str) -> None:
        with self._answers(path), self._reasons(key):
            self._client.download_fileobj(self._bucket, key, file, Config=_TRANSFER)

    def delete(self, prefix: str) -> None:
        """Remove the object of that name and all below it."""
        with self._answers(prefix):
            itself = [self._key_of(prefix)] if prefix else []
            below = f"{self._key_of(prefix)}/" if prefix else self._prefix
            keys = chain(itself, (key for key, _ in self._objects(below)))
            while batch := [{"Key": key} for key in islice(keys, _DELETE_BATCH)]:
                answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": batch, "Quiet": True})
                for failure in answer.get("Errors", []):
                    raise ClientError({"Error": failure}, "DeleteObjects")

    def _key_of(self, path: str) -> str:
        return self._prefix + checked_path(path, self.where)

    def _objects(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Full key and size in bytes of every object whose key begins so."""
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                yield item["Key"], item["Size"]

    def _sha256(self, key: str) -> str:
        digest = hashlib.sha256()
        with closing(self._client.get_object(Bucket=self._bucket, Key=key)["Body"]) as body:
            for data in body.iter_chunks(PART_BYTES):
                digest.update(data)
        return digest.hexdigest()

    @contextmanager
    def _reasons(self, key: str) -> Iterator[None]:
        """Let the store say why an object cannot be had: boto3 asks HEAD first, whose answer cannot; GET's does."""
        try:
            yield
        except ClientError as error:
            if _code(error).isdigit():
                self._client.get_object(Bucket=self._bucket, Key=key)["Body"].close()
            raise

    @contextmanager
    def _answers(self, path: str = "") -> Iterator[None]:
        """Turn what boto3 raises into an error for people."""
        named = f"{path} below {self.where}" if path else self.where
        try:
            yield
        except RetriesExceededError as error:
            raise _explained(error.last_exception, named) from error
        except (ClientError, BotoCoreError, ResponseParserError, S3DownloadFailedError, S3ValidationError) as error:
            raise _explained(error, named) from error


class _Measured:
    """A file that is measured while it is read.

    It cannot seek, so that the transfer manager reads it once, in order, and keeps the parts it may have to send again.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self._crc32 = 0
        self.size_bytes = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._sha256.update(data)
        self._crc32 = zlib.crc32(data, self._crc32)
        self.size_bytes += len(data)
        return data

    @property
    def sha256(self) -> str:
        """In hexadecimal, as manifests have it."""
        return self._sha256.hexdigest()

    @property
    def crc32(self) -> str:
        """In base64, as S3 has it."""
        return b64encode(self._crc32.to_bytes(4, "big")).decode()


class _Watching(BaseSubscriber):  # type: ignore[misc]  # s3transfer has no types
    """Tells of one object among many: what came of it, and when it has ended, well or not."""

    def __init__(self, entry: Entry, meter: Meter, ended: SimpleQueue[tuple[Entry, Any]]) -> None:
        self._entry = entry
        self._meter = meter
        self._ended = ended

    def on_progress(self, future: Any, bytes_transferred: int, **_: Any) -> None:
        self._meter.add(bytes_transferred)

    def on_done(self, future: Any, **_: Any) -> None:
        self._ended.put((self._entry, future))


def _connect(place: Place) -> Any:
    """A client for the place. Without credentials: those of the process (environment, profile, workload identity)."""
    credentials = read_credentials(place.credentials)
    certificate = credentials.ca_certificate
    try:
        return boto3.session.Session().client(
            "s3",
            endpoint_url=place.endpoint_url,
            region_name=place.region,
            aws_access_key_id=credentials.aws_access_key_id,
            aws_secret_access_key=credentials.aws_secret_access_key,
            aws_session_token=credentials.aws_session_token,
            verify=str(certificate) if certificate else None,
            config=Config(
                retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                read_timeout=READ_TIMEOUT_SECONDS,
                max_pool_connections=_CONNECTIONS,
                # http://minio:9000 has no host of the name bucket.minio
                s3={"addressing_style": "path"} if place.endpoint_url else None,
            ),
        )
    except BotoCoreError:  # some are ValueErrors too
        raise
    except ValueError as error:
        raise StorageError(
            f"{place.uri}: its endpoint is no URL of a host: write https://host or http://host:port"
        ) from error


def _explained(error: BaseException, where: str) -> StorageError:
    """The error in our words: the store's own may hold the access key, and the string that was signed."""
    if isinstance(error, ClientError):
        code = _code(error)
        if code in ("NoSuchKey", "404"):
            return NotFound(f"nothing lies at {where}: check the bucket and the key")
        if code in _ADVICE:
            return StorageError(f"{where}: {_ADVICE[code]} ({code})")
        return StorageError(
            f"{where}: the store answered {code} to {error.operation_name}: try again later, or ask who runs the store"
        )
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return StorageError(
            f"{where}: no complete S3 credentials: give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in its Secret, "
            "or the process an identity"
        )
    if isinstance(error, FlexibleChecksumError):
        return StorageError(f"{where}: the bytes that came are not those that are stored there: try again")
    name = type(error).__name__
    if isinstance(error, SSLError):
        return StorageError(
            f"{where}: no trusted connection ({name}): put the certificate authority in ca.crt of its Secret"
        )
    if isinstance(error, NoConnectionError | HTTPClientError | OSError):
        return StorageError(f"{where}: no answer ({name}): check the endpoint, and that it is up")
    return StorageError(f"{where}: S3 could not be used ({name}): check the endpoint, the region and the credentials")


def _code(error: ClientError) -> str:
    """The store's error code, as a word: what the other side sends is not trusted to be one."""
    return re.sub(r"\W", "", str(error.response.get("Error", {}).get("Code", "")))[:64] or "no code"


def _public(url: str) -> str:
    """The URL without a user and password that someone may have put in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
