"""Which replica works: the one that holds the Lease. Whoever loses it ends, and starts again as one that waits."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from finetune_operator.client import LEASES, AlreadyExists, ApiError, Client, Conflict, NotFound
from finetune_operator.settings import Settings

logger = logging.getLogger(__name__)


class LeadershipLost(Exception):
    """Another replica may be working by now."""


class Elector:
    """Takes, holds and gives back the Lease.

    Another's Lease counts as given up when its record has not changed for as long as it says, by this process's own
    clock: clocks of different machines are never compared.
    """

    def __init__(self, client: Client, settings: Settings, identity: str) -> None:
        self._client = client
        self._settings = settings
        self._identity = identity
        self._seen: tuple[str, float] = ("", 0.0)
        """Version of another's Lease, and when it was first seen."""
        self._held: dict[str, Any] | None = None

    async def acquire(self) -> None:
        """Wait until this replica leads."""
        while not await self._tried(self._try_to_take):
            await asyncio.sleep(self._settings.lease_seconds / 6)
        logger.info("leading as %s", self._identity)

    async def hold(self) -> None:
        """Renew the Lease for ever.

        Raises:
            LeadershipLost: it was taken, or could not be renewed for two thirds of its time.
        """
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(self._settings.lease_seconds / 6)
            started = time.monotonic()
            if await self._tried(self._renew):
                renewed = started
            elif self._held is None:
                raise LeadershipLost("another replica has the Lease")
            elif time.monotonic() - renewed > self._settings.lease_seconds * 2 / 3:
                raise LeadershipLost("the Lease could not be renewed in time")

    async def release(self) -> None:
        """Give the Lease back, so that another replica need not wait for its end."""
        if self._held is not None:
            held, self._held = self._held, None
            held["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
            await self._tried(lambda: self._write(held))

    async def _tried(self, attempt: Callable[[], Any]) -> bool:
        try:
            async with asyncio.timeout(self._settings.lease_seconds / 3):
                return bool(await attempt())
        except Conflict:
            self._held = None
            return False
        except (ApiError, TimeoutError) as error:
            logger.warning("the Lease could not be asked for: %s", error or "no answer")
            return False

    async def _try_to_take(self) -> bool:
        namespace, name = self._settings.lease_namespace, self._settings.lease_name
        try:
            lease = await self._client.get(LEASES, namespace, name)
        except NotFound:
            return await self._make()
        if not self._given_up(lease):
            return False
        lease["spec"] = self._spec(int(lease["spec"].get("leaseTransitions", 0)) + 1)
        return await self._write(lease)

    async def _make(self) -> bool:
        namespace, name = self._settings.lease_namespace, self._settings.lease_name
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "namespace": namespace},
            "spec": self._spec(transitions=0),
        }
        try:
            self._held = await self._client.create(LEASES, namespace, lease)
        except AlreadyExists:
            return False
        return True

    def _given_up(self, lease: dict[str, Any]) -> bool:
        spec, version = lease["spec"], lease["metadata"]["resourceVersion"]
        if spec.get("holderIdentity") in ("", None, self._identity):
            return True
        if version != self._seen[0]:
            self._seen = (version, time.monotonic())
        waited = time.monotonic() - self._seen[1]
        return waited > float(spec.get("leaseDurationSeconds", self._settings.lease_seconds))

    async def _renew(self) -> bool:
        assert self._held is not None
        renewed = self._held | {"spec": self._held["spec"] | {"renewTime": _micro_time()}}
        return await self._write(renewed)

    async def _write(self, lease: dict[str, Any]) -> bool:
        """Write the Lease onto the version that was read; a Conflict says that another was quicker."""
        metadata = {"resourceVersion": lease["metadata"]["resourceVersion"]}
        body = {"metadata": metadata, "spec": lease["spec"]}
        self._held = await self._client.patch(LEASES, self._settings.lease_namespace, self._settings.lease_name, body)
        return True

    def _spec(self, transitions: int) -> dict[str, Any]:
        now = _micro_time()
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._settings.lease_seconds)),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }


def _micro_time() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
