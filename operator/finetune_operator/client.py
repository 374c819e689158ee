"""The API server, as far as this operator talks to it: a few verbs on JSON, every refusal a typed error.

Kopf watches; this writes, and reads what a watch cannot tell. It stands on aiohttp, which kopf brings: the official
client parses every answer into models, at several times the memory and CPU (docs/adr/0007).
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import aiohttp
import kopf

from finetune_core.errors import InvalidSpec
from finetune_operator.manifests.labels import MANAGER

REQUEST_SECONDS = 30.0
PAGE = 500
LOG_BYTES = 64 * 1024
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True)
class Resource:
    """A kind of object and its place in the API."""

    group: str
    version: str
    plural: str

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """URL path of a collection, an object, or a part of one."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if namespace else ""
        return "/".join(part for part in (f"{root}{scope}/{self.plural}", name, subresource) if part)


FINETUNEJOBS = Resource("finetune.dev", "v1alpha1", "finetunejobs")
JOBS = Resource("batch", "v1", "jobs")
PODS = Resource("", "v1", "pods")
SERVICES = Resource("", "v1", "services")
EVENTS = Resource("", "v1", "events")
LEASES = Resource("coordination.k8s.io", "v1", "leases")


class ApiError(Exception):
    """The API server refused, or could not be reached (status 0)."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        """Seconds that the server asked to wait (429, 503)."""


class NotFound(ApiError):
    """404: gone, or never there."""


class AlreadyExists(ApiError):
    """409 on create: the name is taken."""


class Conflict(ApiError):
    """409 on update: the object is newer than what was decided on."""


class Refused(ApiError):
    """400, 403 or 422: the same request will be refused again."""


class Unavailable(ApiError):
    """No connection, 429 or 5xx: the same request may succeed later."""


def login() -> kopf.ConnectionInfo:
    """Where the API server is and how to be let in: a pod's service account, else the kubeconfig.

    Raises:
        InvalidSpec: there is neither, or the kubeconfig wants a helper program for its login.
    """
    settings = kopf.OperatorSettings()
    try:
        info = kopf.login_with_service_account(settings=settings) or kopf.login_with_kubeconfig(settings=settings)
    except (OSError, KeyError, kopf.LoginError) as error:
        raise InvalidSpec(f"the kubeconfig cannot be used: {error}") from error
    if info is None:
        raise InvalidSpec("no cluster to work with: neither a pod's service account nor a kubeconfig was found")
    if not (info.token or info.certificate_path or info.certificate_data or info.username):
        raise InvalidSpec(
            f"the kubeconfig's user for {info.server} has no token or certificate (login helpers are not run): "
            "use `kubectl proxy`'s address or a service account's token"
        )
    return info


class Client:
    """A connection to the API server."""

    def __init__(self, connect: Callable[[], kopf.ConnectionInfo] = login) -> None:
        self._connect = connect
        self._info = connect()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Client":
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._info.as_ssl_context(), limit=64),
            timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
            headers={"User-Agent": MANAGER, "Accept": JSON},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
        """One object.

        Raises:
            NotFound: there is none of that name.
        """
        return await self._json("GET", resource.path(namespace, name))

    async def list(
        self, resource: Resource, namespace: str | None, selector: str = "", fields: str = ""
    ) -> AsyncIterator[dict[str, Any]]:
        """Every object of a namespace, or of all; page by page, so that thousands do not lie in memory at once."""
        query = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
        query |= {"fieldSelector": fields} if fields else {}
        while True:
            page = await self._json("GET", resource.path(namespace), query=query)
            for item in page["items"]:
                yield item
            token = page["metadata"].get("continue")
            if not token:
                return
            query["continue"] = token

    async def create(self, resource: Resource, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object.

        Raises:
            AlreadyExists: the name is taken, by an object of ours or another's.
        """
        return await self._json("POST", resource.path(namespace), body=body, query={"fieldManager": MANAGER})

    async def patch(
        self, resource: Resource, namespace: str, name: str, body: Mapping[str, Any], subresource: str = ""
    ) -> dict[str, Any]:
        """Merge ``body`` into an object (RFC 7386). With ``metadata.resourceVersion`` in it, only into that version.

        Raises:
            Conflict: the object has another version by now.
            NotFound: it is gone.
        """
        path = resource.path(namespace, name, subresource)
        return await self._json("PATCH", path, body=body, query={"fieldManager": MANAGER}, content=MERGE_PATCH)

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str, propagation: str) -> None:
        """Delete that very object; one that is gone, or another of its name, is left alone."""
        body = {"propagationPolicy": propagation, "preconditions": {"uid": uid}}
        try:
            await self._json("DELETE", resource.path(namespace, name), body=body)
        except (NotFound, Conflict):
            return

    async def log_tail(self, namespace: str, pod: str, lines: int) -> str:
        """The last lines of a pod's log."""
        query = {"tailLines": str(lines), "limitBytes": str(LOG_BYTES)}
        content = await self._request("GET", PODS.path(namespace, pod, "log"), query=query)
        return content.decode("utf-8", errors="replace")

    async def _json(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        content: str = JSON,
    ) -> dict[str, Any]:
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        answer: dict[str, Any] = json.loads(await self._request(method, path, data, query, content))
        return answer

    async def _request(
        self,
        method: str,
        path: str,
        data: bytes | None = None,
        query: Mapping[str, str] | None = None,
        content: str = JSON,
    ) -> bytes:
        status, headers, answer = await self._send(method, path, data, query, content)
        if status == 401:  # a service account's token changes every hour: read it anew, once
            self._info = self._connect()
            status, headers, answer = await self._send(method, path, data, query, content)
        if status < 400:
            return answer
        raise _error(method, status, headers.get("Retry-After"), answer)

    async def _send(
        self, method: str, path: str, data: bytes | None, query: Mapping[str, str] | None, content: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        assert self._session is not None
        headers = self._info.as_http_headers() | ({"Content-Type": content} if data is not None else {})
        url = self._info.server.rstrip("/") + path
        try:
            async with self._session.request(method, url, data=data, params=query, headers=headers) as response:
                return response.status, response.headers, await response.read()
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            raise Unavailable(0, "NoConnection", f"{self._info.server}: {error or type(error).__name__}") from error


def _error(method: str, status: int, retry_after: str | None, answer: bytes) -> ApiError:
    try:
        details = json.loads(answer)
        reason, message = str(details.get("reason", "")), str(details.get("message", ""))
    except (ValueError, AttributeError):
        reason, message = "", answer.decode("utf-8", errors="replace")[:200]
    if status == 404:
        return NotFound(status, reason, message)
    if status == 409:
        return (AlreadyExists if method == "POST" else Conflict)(status, reason, message)
    if status == 429 or status >= 500:
        seconds = float(retry_after) if retry_after and retry_after.isdecimal() else None
        return Unavailable(status, reason, message, seconds)
    return Refused(status, reason, message)
