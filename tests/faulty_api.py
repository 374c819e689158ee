"""A proxy in front of the API server that counts writes and makes trouble, at moments that a test chooses."""

import asyncio
import json
import ssl
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from control_plane import ControlPlane, Json
from servers import HOST

LONGEST_LINE = 2**22
HOP_BY_HOP = {"connection", "content-length", "host", "transfer-encoding"}


@dataclass(frozen=True)
class Write:
    """A request that changes something, with its answer. The Lease, which is renewed all the time, is left out."""

    number: int
    method: str
    kind: str
    """Plural of what is written, its part included: ``finetunejobs/status``."""
    status: int


@dataclass(frozen=True)
class Fault:
    """An answer in the place of the API server's own."""

    status: int
    reason: str = ""
    retry_after: int | None = None
    written: bool = False
    """Whether the API server was asked all the same, and only its answer was lost."""


class FaultyApi:
    """The running proxy; plain HTTP on loopback."""

    def __init__(self, plane: ControlPlane) -> None:
        self.url = ""
        self.writes: list[Write] = []
        """The writes that reached the API server."""
        self.after_write: Callable[[Write], None] = lambda _: None
        """Called when the API server has answered a write, before the operator hears of it."""
        self.fault: Callable[[int], Fault | None] = lambda _: None
        """Asked for each write, by its number counted from 1."""
        self.faults = 0
        self._plane = plane
        self._trust = ssl.create_default_context(cafile=plane.certificate)
        self._loop = asyncio.new_event_loop()
        """All that there ever were; to break one that is gone does nothing."""
        self._watches: dict[str, web.StreamResponse] = {}
        self._transports: weakref.WeakSet[asyncio.WriteTransport] = weakref.WeakSet()
        """Of requests so far; one that aiohttp has closed is open until its other end has read everything."""
        self._number = 0
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="faulty-api")

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def created(self, kind: str) -> int:
        """How many objects of that kind were made."""
        return sum(write.method == "POST" and write.kind == kind and write.status == 201 for write in self.writes)

    def watches(self, kind: str) -> bool:
        """Whether a watch of that kind runs."""
        return kind in self._watches

    def cut(self) -> None:
        """Break every connection that there is; new ones are taken."""

        self._loop.call_soon_threadsafe(self._abort)

    def say_on_watch(self, kind: str, line: Json) -> None:
        """Add a line to the running watch of that kind."""
        said = self._watches[kind].write(json.dumps(line).encode() + b"\n")
        asyncio.run_coroutine_threadsafe(said, self._loop).result(10)

    async def _start(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._trust, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=LONGEST_LINE,
            auto_decompress=False,
        )
        application = web.Application(client_max_size=LONGEST_LINE)
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, 0)
        await site.start()
        [(_, port)] = self._runner.addresses
        self.url = f"http://{HOST}:{port}"

    async def _stop(self) -> None:
        assert self._runner is not None
        assert self._session is not None
        for site in list(self._runner.sites):
            await site.stop()
        quiet = 0
        while quiet < 5:  # one may just have been taken, and on a busy machine that takes a while to show
            quiet = 0 if self._open() else quiet + 1
            self._abort()
            await asyncio.sleep(0.1)
        await self._runner.cleanup()
        await self._session.close()
        await asyncio.sleep(0.1)  # TLS connections say goodbye

    def _abort(self) -> None:
        for connection in {*self._open(), *self._transports}:
            connection.abort()

    def _open(self) -> list[asyncio.WriteTransport]:
        """Connections to here."""
        assert self._runner is not None
        assert self._runner.server is not None
        handlers = self._runner.server.connections  # type: ignore[attr-defined]
        return [handler.transport for handler in handlers if handler.transport is not None]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        kind = _kind(request.path)
        if isinstance(request.transport, asyncio.WriteTransport):
            self._transports.add(request.transport)
        try:
            if request.method == "GET" or kind == "leases":
                return await self._pass_on(request, kind)
            return await self._write(request, kind)
        except aiohttp.ClientConnectionError:
            return web.json_response({"reason": "no API server"}, status=503)

    async def _write(self, request: web.Request, kind: str) -> web.StreamResponse:
        self._number += 1
        number, fault = self._number, self.fault(self._number)
        self.faults += fault is not None
        if fault is not None and not fault.written:
            return _answer(fault)
        async with self._ask(request) as answer:
            content = await answer.read()
        write = Write(number, request.method, kind, answer.status)
        self.writes.append(write)
        self.after_write(write)
        if fault is not None:
            return _answer(fault)
        return web.Response(status=answer.status, body=content, headers=_headers(answer.headers))

    async def _pass_on(self, request: web.Request, kind: str) -> web.StreamResponse:
        async with self._ask(request) as answer:
            response = web.StreamResponse(status=answer.status, headers=_headers(answer.headers))
            await response.prepare(request)
            if "watch" in request.query:
                self._watches[kind] = response
            # Line by line, so that a line of ours does not fall into another.
            with suppress(aiohttp.ClientPayloadError):
                async for line in answer.content:
                    await response.write(line)
            return response

    def _ask(self, request: web.Request) -> "aiohttp.client._RequestContextManager":
        assert self._session is not None
        return self._session.request(
            request.method,
            self._plane.url + str(request.rel_url),
            headers=_headers(request.headers),
            data=request.content if request.can_read_body else None,
        )


@contextmanager
def faulty_api(plane: ControlPlane) -> Iterator[FaultyApi]:
    """Run a proxy in front of the API server."""
    proxy = FaultyApi(plane)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()


def _kind(path: str) -> str:
    """``/apis/batch/v1/namespaces/a/jobs/b/status`` -> ``jobs/status``."""
    words = path.strip("/").split("/")
    words = words[2:] if words[0] == "api" else words[3:]
    if words[:1] == ["namespaces"] and len(words) > 2:
        words = words[2:]
    return "/".join([*words[:1], *words[2:]])


def _answer(fault: Fault) -> web.Response:
    said = {"kind": "Status", "status": "Failure", "code": fault.status, "reason": fault.reason, "message": "a test's"}
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return web.json_response(said, status=fault.status, headers=headers)


def _headers(headers: "aiohttp.typedefs.LooseHeaders") -> dict[str, str]:
    return {name: value for name, value in dict(headers).items() if name.lower() not in HOP_BY_HOP}
