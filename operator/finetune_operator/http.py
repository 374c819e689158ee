"""``/metrics`` for Prometheus and ``/healthz`` for kubelet."""

import asyncio

from aiohttp import web

from finetune_operator.metrics import Metrics
from finetune_operator.settings import Settings

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Server:
    """A small HTTP server."""

    def __init__(self, metrics: Metrics, settings: Settings) -> None:
        self._metrics = metrics
        self._settings = settings
        application = web.Application()
        application.add_routes([web.get("/metrics", self._tell), web.get("/healthz", self._health)])
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        await self._runner.setup()
        await web.TCPSite(self._runner, port=self._settings.port, shutdown_timeout=1).start()

    async def stop(self) -> None:
        """Listen no more."""
        await self._runner.cleanup()

    async def _tell(self, _: web.Request) -> web.Response:
        # In a thread: with thousands of jobs the text takes a while, and the operator works on meanwhile.
        text = await asyncio.to_thread(self._metrics.text)
        return web.Response(body=text, headers={"Content-Type": METRICS_TYPE})

    async def _health(self, _: web.Request) -> web.Response:
        quiet, limit = self._metrics.oldest_watch_seconds(), 3 * self._settings.sweep_seconds + 60
        if quiet > limit:
            return web.Response(status=503, text=f"nothing was heard of the cluster for {quiet:.0f} s\n")
        return web.Response(text="ok\n")
