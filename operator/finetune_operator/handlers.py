"""From watch events to the cache and the queue. Nothing is decided here, so nothing can be missed here.

Kopf logs an error in such a handler and does not call it again for that event; these do too little to have one.
"""

from collections.abc import Callable, Mapping
from typing import Any

import kopf

from finetune_operator.cache import Cache
from finetune_operator.client import FINETUNEJOBS, JOBS, PODS, Resource
from finetune_operator.manifests.labels import SELECTOR
from finetune_operator.metrics import Metrics
from finetune_operator.queue import Queue
from finetune_operator.records import Key

WATCH_SECONDS = 240
"""How long a watch lasts before it is begun anew: less than the 5 to 10 minutes after which servers end it."""


def make_registry(
    cache: Cache,
    queue: Queue,
    metrics: Metrics,
    connect: Callable[[], kopf.ConnectionInfo],
    stopping: Callable[[], None],
) -> kopf.OperatorRegistry:
    """The handlers, for kopf. ``stopping`` is called when kopf begins to end, for whatever reason."""
    registry = kopf.OperatorRegistry()

    def listen(resource: Resource, put: _Take, drop: _Take) -> None:
        def handle(event: Mapping[str, Any], **_: Any) -> None:
            metrics.seen(resource.plural)
            key = (drop if event["type"] == "DELETED" else put)(event["object"])
            if key is not None:
                queue.add(key)

        kopf.on.event(resource.group, resource.version, resource.plural, id=resource.plural, registry=registry)(handle)

    def log_in(**_: Any) -> kopf.ConnectionInfo:
        return connect()

    def clean_up(**_: Any) -> None:
        stopping()

    listen(FINETUNEJOBS, cache.put_job, cache.drop_job)
    listen(JOBS, cache.put_step, cache.drop_step)
    listen(PODS, cache.put_pod, cache.drop_pod)
    kopf.on.login(registry=registry)(log_in)
    kopf.on.cleanup(registry=registry)(clean_up)
    return registry


_Take = Callable[[Mapping[str, Any]], Key | None]


def kopf_settings() -> kopf.OperatorSettings:
    """Kopf for thousands of objects, with rights on nothing but our own (docs/adr/0007)."""
    tuned = kopf.OperatorSettings()
    tuned.posting.enabled = False
    tuned.scanning.disabled = True  # no list of all namespaces and CRDs
    tuned.peering.standalone = True  # replicas agree by a Lease
    tuned.persistence.diffbase_storage = _NoDiffBase()
    tuned.persistence.progress_storage = _NoProgress()
    tuned.queueing.idle_timeout = 0.01  # else a task for each object lives on for seconds
    tuned.watching.chunk_size = 500
    tuned.watching.server_timeout = WATCH_SECONDS
    tuned.watching.client_timeout = WATCH_SECONDS + 30
    tuned.watching.connect_timeout = 10
    for resource in (JOBS, PODS):
        tuned.watching.label_selectors[resource.group, resource.version, resource.plural] = SELECTOR
    return tuned


class _NoDiffBase(kopf.DiffBaseStorage):
    """No annotation on our objects, and no copy of each to compare it with."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None: ...


class _NoProgress(kopf.ProgressStorage):
    """No record of handlers on our objects."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None: ...

    def purge(self, **_: Any) -> None: ...

    def touch(self, **_: Any) -> None: ...

    def clear(self, *, essence: Any) -> Any:
        return essence
