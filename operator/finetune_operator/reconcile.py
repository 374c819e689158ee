"""One pass over one job: observe, decide, apply. What goes wrong is sorted here, and nothing is lost by it."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from finetune_core.api.status import FINISHED
from finetune_operator.apply import Applier, NameTaken
from finetune_operator.cache import Cache
from finetune_operator.client import FINETUNEJOBS, ApiError, Client, Conflict, NotFound, Refused
from finetune_operator.decide import decide
from finetune_operator.decide.decision import Decision, StartPreparation, StartTraining
from finetune_operator.decide.observed import Observed
from finetune_operator.decide.specification import refused
from finetune_operator.metrics import Metrics
from finetune_operator.observe import Observer
from finetune_operator.queue import Closed, Queue
from finetune_operator.records import JobRecord, Key
from finetune_operator.settings import Settings

logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    """Whole seconds, as Kubernetes keeps time."""
    return datetime.now(UTC).replace(microsecond=0)


class Reconciler:
    """Takes keys from the queue, and brings each job one step further."""

    def __init__(
        self,
        client: Client,
        cache: Cache,
        queue: Queue,
        metrics: Metrics,
        settings: Settings,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._client = client
        self._cache = cache
        self._queue = queue
        self._metrics = metrics
        self._clock = clock
        self._observer = Observer(client, cache, settings)
        self._applier = Applier(client, cache, settings)

    async def work(self) -> None:
        """One worker, until the queue is closed; the pass it is in then is still finished."""
        while True:
            try:
                key, waited = await self._queue.get()
            except Closed:
                return
            self._metrics.latency.observe(waited)
            await self._pass(key)

    async def _pass(self, key: Key) -> None:
        started = time.monotonic()
        try:
            again = await self.reconcile(key)
        except ApiError as error:
            self._metrics.errors.inc()
            wait = self._queue.failed(key, at_least=error.retry_after or 0.0)
            logger.warning("%s/%s: %s; again in %.1f s", *key, error, wait)
        except Exception:
            # A defect: it must be seen, and must not stop the other jobs.
            self._metrics.errors.inc()
            logger.exception("%s/%s: again in %.1f s", *key, self._queue.failed(key))
        else:
            self._queue.done(key)
            if again is not None:
                self._queue.add_later(key, again)
        finally:
            self._metrics.duration.observe(time.monotonic() - started)

    async def reconcile(self, key: Key) -> float | None:
        """Bring a job one step further; seconds until it should be looked at again, None for not before news.

        Raises:
            ApiError: the API server could not be worked with; the same pass may be made again.
        """
        record = self._cache.jobs.get(key)
        if record is None:
            self._metrics.forget(key)
            self._observer.forget(key)
            return None
        now = self._clock()
        observed = await self._observer.observe(key, record, now)
        decision = decide(observed, now)
        try:
            await self._carry_out(key, record, observed, decision, now)
        except NameTaken as taken:
            logger.warning("%s/%s: %s", *key, taken)
            return 0.0
        except (NotFound, Conflict):
            return await self._read_again(key)
        self._metrics.tell(key, observed, decision.status)
        if decision.status.phase in FINISHED and not record.finished:
            return 0.0  # its time to live begins, and nothing of it may run on
        return decision.requeue_after

    async def _carry_out(
        self, key: Key, record: JobRecord, observed: Observed, decision: Decision, now: datetime
    ) -> None:
        try:
            await self._applier.apply(key, record, observed, decision, now)
        except Refused as error:
            if not any(isinstance(action, StartPreparation | StartTraining) for action in decision.actions):
                raise
            # A child that the API server does not take as the job describes it: the person should read that.
            answer = refused(observed, now, error.status, error.message)
            await self._applier.apply(key, record, observed, answer, now)
            if answer.requeue_after is not None:
                raise

    async def _read_again(self, key: Key) -> float | None:
        """The job has changed or gone since it was known here: learn what it is now."""
        try:
            self._cache.put_job(await self._client.get(FINETUNEJOBS, *key))
        except NotFound:
            self._cache.lost_job(key)
        return 0.0
