"""``finetune-operator``: connect, list everything, lead, and work until asked to stop."""

import asyncio
import logging
import socket
import sys
from pathlib import Path

import kopf

from finetune_core import __version__
from finetune_core.errors import FinetuneError, InvalidSpec
from finetune_core.planning import add_gpus
from finetune_operator.cache import Cache
from finetune_operator.client import ApiError, Client, NotFound, login
from finetune_operator.handlers import kopf_settings, make_registry
from finetune_operator.http import Server
from finetune_operator.leader import Elector, LeadershipLost
from finetune_operator.metrics import Metrics
from finetune_operator.queue import Queue
from finetune_operator.reconcile import Reconciler
from finetune_operator.settings import Settings, settings_from_environment
from finetune_operator.sweep import Sweeper

logger = logging.getLogger("finetune_operator")

STOP_SECONDS = 20.0
"""For the passes under way; kubelet gives 30 by default."""


def main() -> None:
    """Run the operator: 0 when asked to stop, 1 when the cluster could not be worked with, 2 for wrong settings."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO, stream=sys.stdout)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    try:
        settings = settings_from_environment()
        if settings.gpus_file:
            add_gpus(Path(settings.gpus_file).read_text(encoding="utf-8"))
        asyncio.run(run(settings))
    except FinetuneError as error:
        logger.error("%s", error)
        sys.exit(2)
    except (ApiError, LeadershipLost, WatchLost, OSError) as error:
        logger.error("ending, to be started again: %s", error)
        sys.exit(1)


class WatchLost(Exception):
    """Kopf ended, and with it the watches."""


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT.

    Raises:
        InvalidSpec: there is no cluster to connect to, or it has no FineTuneJobs.
        ApiError, LeadershipLost, WatchLost: the process must end and be started again.
    """
    queue, cache = Queue(), Cache()
    metrics = Metrics(queue)
    async with Client() as client:
        logger.info("finetune-operator %s serves %s", __version__, ", ".join(settings.namespaces) or "all namespaces")
        server = Server(metrics, settings)
        await server.start()
        try:
            sweeper = Sweeper(client, cache, queue, metrics, settings)
            try:
                await sweeper.sweep()
            except NotFound as error:
                raise InvalidSpec("the cluster does not know FineTuneJobs yet: ftj crd | kubectl apply -f -") from error
            logger.info("%d jobs are there", len(cache.jobs))
            elector = Elector(client, settings, settings.identity or socket.gethostname())
            reconciler = Reconciler(client, cache, queue, metrics, settings)
            await _run(settings, queue, metrics, sweeper, elector, reconciler, cache)
        finally:
            await server.stop()


async def _run(
    settings: Settings,
    queue: Queue,
    metrics: Metrics,
    sweeper: Sweeper,
    elector: Elector,
    reconciler: Reconciler,
    cache: Cache,
) -> None:
    leading, stopping = asyncio.Event(), asyncio.Event()

    async def lead() -> None:
        await elector.acquire()
        metrics.leader = True
        leading.set()
        await elector.hold()

    async def work() -> None:
        await leading.wait()
        await reconciler.work()

    async def watch() -> None:
        registry = make_registry(cache, queue, metrics, login, stopping.set)
        namespaces, everywhere = settings.namespaces, not settings.namespaces
        try:
            await kopf.operator(
                registry=registry,
                settings=kopf_settings(),
                standalone=True,
                namespaces=namespaces,
                clusterwide=everywhere,
            )
        except Exception as error:
            raise WatchLost(f"the watch ended: {type(error).__name__}: {error}") from error

    # The order matters: kopf, when it ends, cancels every task that was started after it.
    workers = [asyncio.create_task(work()) for _ in range(settings.workers)]
    leader, sweeps = asyncio.create_task(lead()), asyncio.create_task(sweeper.run())
    asked_to_stop = asyncio.create_task(stopping.wait())
    watcher = asyncio.create_task(watch())
    await asyncio.wait({leader, sweeps, watcher, asked_to_stop, *workers}, return_when=asyncio.FIRST_COMPLETED)

    logger.info("stopping")
    metrics.leader = False
    queue.close()
    leading.set()
    lost = leader.done() and leader.exception() is not None
    await asyncio.wait(workers, timeout=0 if lost else STOP_SECONDS)
    leader.cancel()
    await elector.release()
    if not asked_to_stop.done():
        watcher.cancel()
    for task in (*workers, sweeps, asked_to_stop):
        task.cancel()
    ended = await asyncio.gather(leader, sweeps, watcher, *workers, return_exceptions=True)
    for outcome in ended:
        if isinstance(outcome, Exception):
            raise outcome


if __name__ == "__main__":
    main()
