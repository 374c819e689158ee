"""List and compare: whatever a watch may have missed is known afterwards.

After a gap in a watch, an object that was deleted meanwhile is never told of; and handlers are not told when the first
list is complete. So everything is listed before the first decision, and again every few minutes.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from finetune_operator.cache import Cache
from finetune_operator.client import FINETUNEJOBS, JOBS, PODS, ApiError, Client, Resource
from finetune_operator.manifests.labels import SELECTOR
from finetune_operator.metrics import Metrics
from finetune_operator.queue import Queue
from finetune_operator.records import Key
from finetune_operator.settings import Settings

logger = logging.getLogger(__name__)


class Sweeper:
    """Keeps the cache complete."""

    def __init__(self, client: Client, cache: Cache, queue: Queue, metrics: Metrics, settings: Settings) -> None:
        self._client = client
        self._cache = cache
        self._queue = queue
        self._metrics = metrics
        self._settings = settings

    async def run(self) -> None:
        """Sweep for ever; a sweep that fails is made again in its turn."""
        while True:
            await asyncio.sleep(self._settings.sweep_seconds)
            try:
                await self.sweep()
            except ApiError as error:
                self._metrics.errors.inc()
                logger.warning(
                    "listing everything failed, trying again in %g s: %s", self._settings.sweep_seconds, error
                )

    async def sweep(self) -> None:
        """List everything once. Children first, so that a job is not met before what it has.

        Raises:
            ApiError: the API server could not be asked.
        """
        cache = self._cache
        await self._compare(PODS, SELECTOR, cache.pods, cache.put_pod, cache.lost_pod)
        await self._compare(JOBS, SELECTOR, cache.steps, cache.put_step, cache.lost_step)
        await self._compare(FINETUNEJOBS, "", cache.jobs, cache.put_job, cache.lost_job)
        for key, record in cache.jobs.items():
            if not record.finished:
                self._queue.add(key)

    async def _compare(
        self,
        resource: Resource,
        selector: str,
        known: Mapping[Key, Any],
        put: Callable[[Mapping[str, Any]], Key | None],
        lost: Callable[[Key], Key | None],
    ) -> None:
        before = dict(known)
        for namespace in self._settings.namespaces or (None,):
            async for body in self._client.list(resource, namespace, selector):
                before.pop((body["metadata"]["namespace"], body["metadata"]["name"]), None)
                self._add(put(body))
        for key, record in before.items():
            if known.get(key) is record:  # else a watch has told of a newer one meanwhile
                self._add(lost(key))
        self._metrics.seen(resource.plural)

    def _add(self, key: Key | None) -> None:
        if key is not None:
            self._queue.add(key)
