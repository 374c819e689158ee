"""A file of a web server, over https: the only file that knows httpcore2. docs/adr/0010 says whom it may ask.

Every timeout, limit and retry is set here, at the top. No proxy is used: it would connect where we may not.
"""

import ipaddress
import os
import re
import socket
import ssl
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpcore2

from finetune_core.api.location import HttpsUri, parse_uri, public_uri
from finetune_core.contract import Place
from finetune_core.contract.environment import INTERNAL_HOSTS_VARIABLE
from finetune_core.errors import InvalidSpec, NotFound, StorageError
from finetune_storage.credentials import read_credentials
from finetune_storage.dataset import Data, DataFile, Receiver, refuse_oversize
from finetune_storage.local import replacing

CONNECT_TIMEOUT_SECONDS = 10.0
STALL_TIMEOUT_SECONDS = 60.0
"""How long nothing may come."""
MAX_ATTEMPTS = 4
FIRST_WAIT_SECONDS = 0.5
"""Before the second attempt; each later wait is twice as long, or as long as the server asks for."""
LONGEST_WAIT_SECONDS = 30.0
MAX_REDIRECTS = 5

_REDIRECTS = (301, 302, 303, 307, 308)
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def fetch_dataset(place: Place, location: HttpsUri, into: Path) -> Data:
    """Download the file.

    Raises:
        NotFound: the server has no such file.
        StorageError: it may not be asked, refuses, sends too much or too little, or is not there.
    """
    source = public_uri(location.url)
    target = into / (location.name[-80:] or "data")
    with httpcore2.ConnectionPool(ssl_context=_trust(place), network_backend=_GuardedNetwork()) as pool:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                return Data(source, (_download(pool, location, source, target),))
            except _TryAgain as error:
                if attempt == MAX_ATTEMPTS:
                    raise StorageError(f"{error} ({MAX_ATTEMPTS} attempts)") from error.__cause__
                time.sleep(min(error.wait_seconds or FIRST_WAIT_SECONDS * 2 ** (attempt - 1), LONGEST_WAIT_SECONDS))
    raise AssertionError("the last attempt returns or raises")


class _TryAgain(Exception):
    """What may be over in a moment."""

    def __init__(self, message: str, wait_seconds: float = 0) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


def _download(pool: httpcore2.ConnectionPool, location: HttpsUri, source: str, target: Path) -> DataFile:
    """One attempt, redirects followed."""
    shown, asked = source, location
    for _ in range(MAX_REDIRECTS + 1):
        try:
            with pool.stream(
                "GET",
                asked.url,
                # The bytes as they lie there: what is counted and hashed is then what the checksum was made of.
                headers={"Accept-Encoding": "identity", "User-Agent": "finetune-operator"},
                extensions={
                    "timeout": {
                        "connect": CONNECT_TIMEOUT_SECONDS,
                        "read": STALL_TIMEOUT_SECONDS,
                        "write": STALL_TIMEOUT_SECONDS,
                    }
                },
            ) as answer:
                if answer.status == 200:
                    return _receive(answer, shown, target)
                if answer.status not in _REDIRECTS:
                    raise _refusal(answer, shown)
                leads_to = _header(answer, b"location")
        except httpcore2.TimeoutException as error:
            raise _TryAgain(f"{shown}: no answer in time: check the host, and that it is up") from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise _broken(error, shown) from error
        asked = _redirected(asked.url, leads_to, source)
        shown = f"{source} (redirected to {public_uri(asked.url)})"
    raise StorageError(f"{source} redirects more than {MAX_REDIRECTS} times: name the file's own address")


def _receive(answer: httpcore2.Response, shown: str, target: Path) -> DataFile:
    text = _header(answer, b"content-length")
    announced = int(text) if text.isdecimal() else None
    if announced is not None:
        refuse_oversize(announced, shown)
    with replacing(target) as file:
        receiver = Receiver(file, shown)
        try:
            for data in answer.iter_stream():
                receiver.write(data)
        except httpcore2.TimeoutException as error:
            raise _TryAgain(
                f"{shown}: nothing came for {STALL_TIMEOUT_SECONDS:g} s after {receiver.size_bytes:,} bytes: "
                "try again later"
            ) from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            whole = "an unknown number" if announced is None else f"{announced:,}"
            raise _TryAgain(
                f"{shown} was cut short: {receiver.size_bytes:,} of {whole} bytes came: try again later"
            ) from error
    return DataFile(target, receiver.sha256)


def _redirected(url: str, leads_to: str, source: str) -> HttpsUri:
    scheme = "nowhere"
    try:
        absolute = urljoin(url, leads_to)
        scheme = urlsplit(absolute).scheme if leads_to else scheme
        target = parse_uri(absolute)
    except (InvalidSpec, ValueError):
        target = None
    if not leads_to or not isinstance(target, HttpsUri):
        kind = "an address that is none" if scheme == "https" else scheme
        raise StorageError(f"{source} redirects to {kind}, and only https is followed: name the file's own address")
    return target


def _refusal(answer: httpcore2.Response, shown: str) -> Exception:
    status = answer.status
    if status in (404, 410):
        return NotFound(f"nothing lies at {shown} ({status}): check the address")
    if status in (401, 403):
        return StorageError(f"{shown} is closed to us ({status}): check the address, and whether its signature is over")
    if status in _BUSY:
        wait = _header(answer, b"retry-after")
        return _TryAgain(
            f"{shown}: the server answered {status}: try again later", float(wait) if wait.isdecimal() else 0
        )
    return StorageError(f"{shown}: the server answered {status}: check the address")


def _broken(error: Exception, shown: str) -> Exception:
    """Why there is no connection, in our words."""
    cause = error.args[0] if error.args else None  # httpcore2 cuts the chain, and keeps the first error here
    if isinstance(cause, ssl.SSLCertVerificationError):
        return StorageError(
            f"{shown}: no trusted connection ({cause.verify_message}): "
            "put the certificate authority in ca.crt of its Secret"
        )
    if isinstance(cause, socket.gaierror):
        return _TryAgain(f"{shown}: no host of that name was found: check the address")
    return _TryAgain(f"{shown}: no answer ({type(error).__name__}): check the host, and that it is up")


def _header(answer: httpcore2.Response, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in answer.headers if key.lower() == name), "")


def _trust(place: Place) -> ssl.SSLContext:
    """The system's certificate authorities, and that of the Secret."""
    context = httpcore2.default_ssl_context()
    authority = read_credentials(place.credentials).ca_certificate
    if authority is not None:
        try:
            context.load_verify_locations(authority)
        except (ssl.SSLError, OSError) as error:
            raise StorageError(f"{authority} is no certificate: write it as PEM") from error
    return context


class _GuardedNetwork(httpcore2.NetworkBackend):
    """Connects to public addresses, and to the hosts that were named as internal ones.

    The address that was looked at is the one connected to: a name that is looked up again could lead elsewhere.
    """

    def __init__(self) -> None:
        self._network = httpcore2.SyncBackend()
        named = re.split(r"[\s,]+", os.environ.get(INTERNAL_HOSTS_VARIABLE, ""))
        self._internal = {host.strip("[]").rstrip(".").lower() for host in named}

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to one of the host's addresses, if all of them may be connected to."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(error) from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if host.rstrip(".").lower() not in self._internal:
            for address in addresses:
                _refuse_internal(address, host)
        for address in addresses[:-1]:
            try:
                return self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return self._network.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)


def _refuse_internal(text: str, host: str) -> None:
    address = _carried(ipaddress.ip_address(text.partition("%")[0]))
    if not address.is_global or address.is_multicast:
        raise StorageError(
            f"{host} is at {text}, an internal address, which a dataset is not read from: name a public host, or have "
            f"{host} added to {INTERNAL_HOSTS_VARIABLE} (in a cluster the operator's settings.internalHosts)"
        )


def _carried(address: Address) -> Address:
    """The IPv4 address inside an IPv6 address that stands for one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
