"""How fast the operator serves many FineTuneJobs, against a bare client that makes the same writes.

Run it with ``make bench-operator``. It starts an API server and etcd of its own on loopback, without controllers or
nodes: what is measured is the operator, and Jobs stay as they are created. Absolute figures are the machine's; the
ratio and the memory are the operator's.

Each round applies JOBS jobs at once, two times: once the client that applies them also writes what the operator would
(the prepare Job, the job's status, an event), once the operator does, as a process of its own.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from control_plane import ControlPlane, run_control_plane  # noqa: E402
from finetune_core.api import read_spec  # noqa: E402
from finetune_operator.client import EVENTS, FINETUNEJOBS, JOBS, Client  # noqa: E402
from finetune_operator.decide.decision import Event  # noqa: E402
from finetune_operator.manifests import Parent, event, prepare_job  # noqa: E402
from finetune_operator.reconcile import utc_now  # noqa: E402
from finetune_operator.settings import Settings  # noqa: E402
from servers import free_port  # noqa: E402

ROUNDS = 3
JOBS_IN_A_ROUND = 1_000
MANY_JOBS = 5_000
WORKERS = 16
STATUS: dict[str, Any] = {
    "observedGeneration": 1,
    "phase": "Pending",
    "startTime": "2026-01-01T00:00:00Z",
    "conditions": [
        {
            "type": kind,
            "status": status,
            "reason": "WaitingForPod",
            "message": "job-00000-prepare-00000-1 waits for its pod",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            "observedGeneration": 1,
        }
        for kind, status in (("Ready", "False"), ("Reconciling", "True"), ("Stalled", "False"))
    ],
    "attempts": [],
    "preparation": 1,
    "retries": 0,
    "disruptions": 0,
}
"""What the operator writes for a job that it has just seen."""
SPEC: dict[str, Any] = {
    "model": {"uri": "hf://Qwen/Qwen2.5-7B-Instruct"},
    "dataset": {"uri": "s3://datasets/support.jsonl"},
    "gpu": {"type": "A10"},
}


def main() -> None:
    """Print the table."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-operator-") as folder,
        run_control_plane(Path(folder), print) as plane,
    ):
        plane.stop_controller_manager()
        os.environ["KUBECONFIG"] = str(plane.kubeconfig)
        plane.kubectl("apply", "-f", "-", input=(ROOT / "crds" / "finetunejobs.yaml").read_text())
        plane.kubectl("create", "namespace", "finetune-operator")
        bare, ours = [], []
        for number in range(1, ROUNDS + 1):
            bare.append(asyncio.run(_round(plane, f"bare-{number}", _write_all)))
            with _operator(plane) as process:
                ours.append(asyncio.run(_round(plane, f"operator-{number}", _create)))
                memory = _memory(process)
            print(
                f"round {number}: bare client {bare[-1]:.0f} jobs/s, operator {ours[-1]:.0f} jobs/s "
                f"({ours[-1] / bare[-1]:.0%}); operator {memory}",
                flush=True,
            )
        ratio = statistics.median(mine / theirs for mine, theirs in zip(ours, bare, strict=True))
        print(f"{JOBS_IN_A_ROUND:,} jobs at once, median of {ROUNDS} rounds: {ratio:.0%} of the bare client's rate")
        _many(plane)


def _many(plane: ControlPlane) -> None:
    """Memory with many jobs, and how soon a new process has looked at all of them."""
    with _operator(plane) as process:
        rate = asyncio.run(_round(plane, "many", _create, MANY_JOBS))
        print(f"{MANY_JOBS:,} jobs at once: {rate:.0f} jobs/s; operator {_memory(process)}")
    started = time.monotonic()
    with _operator(plane, ready=False) as process:
        asyncio.run(_until_caught_up(process))
        print(
            f"restart with {MANY_JOBS:,} jobs: caught up after {time.monotonic() - started:.1f} s, {_memory(process)}"
        )


async def _round(plane: ControlPlane, namespace: str, make: "_Make", count: int = JOBS_IN_A_ROUND) -> float:
    """Apply so many jobs to a new namespace; jobs a second until the last one is served."""
    plane.kubectl("create", "namespace", namespace)
    rate = await _serve(plane, namespace, make, count)
    if count < MANY_JOBS:
        for plural in ("finetunejobs", "jobs", "events"):
            plane.kubectl("delete", plural, "--all", "--namespace", namespace, "--wait=false")
    return rate


async def _serve(plane: ControlPlane, namespace: str, make: "_Make", count: int) -> float:
    async with Client() as client:
        started = time.monotonic()
        names = iter([f"job-{number:05d}" for number in range(count)])

        async def work() -> None:
            for name in names:
                await make(client, namespace, name)

        await asyncio.gather(*(work() for _ in range(WORKERS)))
        while _served(plane, namespace) < count:
            await asyncio.sleep(0.05)
        seconds = time.monotonic() - started
        children = [body["metadata"] async for body in client.list(JOBS, namespace)]
        owners = {child["ownerReferences"][0]["uid"] for child in children}
        assert len(children) == len(owners) == count, f"{len(children)} Jobs of {len(owners)} owners for {count} jobs"
    return count / seconds


_Make = Callable[[Client, str, str], Awaitable[None]]


async def _create(client: Client, namespace: str, name: str) -> None:
    """Apply a job, as a person would."""
    await client.create(FINETUNEJOBS, namespace, _job(namespace, name))


async def _write_all(client: Client, namespace: str, name: str) -> None:
    """Apply a job, and write what the operator writes for it: its status is copied from a job that it served."""
    body = await client.create(FINETUNEJOBS, namespace, _job(namespace, name))
    uid, version = body["metadata"]["uid"], body["metadata"]["resourceVersion"]
    parent = Parent(namespace, name, uid, {}, read_spec(body["spec"]))
    await client.create(JOBS, namespace, prepare_job(parent, 1, Settings(trainer_image="t")))
    patch = {"metadata": {"resourceVersion": version}, "status": STATUS}
    await client.patch(FINETUNEJOBS, namespace, name, patch, "status")
    what = Event("Normal", "Preparing", "checking the data before a GPU is asked for")
    await client.create(EVENTS, namespace, event(namespace, name, uid, version, what, utc_now()))


def _job(namespace: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "finetune.dev/v1alpha1",
        "kind": "FineTuneJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": SPEC | {"output": {"uri": f"s3://models/{namespace}/{name}"}},
    }


def _served(plane: ControlPlane, namespace: str) -> int:
    """How many jobs are served, by their Events: those are written last, one a job."""
    _, answer = plane.request("GET", f"/api/v1/namespaces/{namespace}/events?limit=1")
    return len(answer["items"]) + int(answer["metadata"].get("remainingItemCount", 0))


@contextmanager
def _operator(plane: ControlPlane, ready: bool = True) -> Iterator["subprocess.Popen[bytes]"]:
    """The operator, as a process of its own; ``ready``: once it leads."""
    port = free_port()
    environment = os.environ | {
        "KUBECONFIG": str(plane.kubeconfig),
        "FTJ_OPERATOR_TRAINER_IMAGE": "trainer",
        "FTJ_OPERATOR_PORT": str(port),
    }
    log = Path(tempfile.gettempdir()) / "bench-operator.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "finetune_operator.main"], env=environment, stdout=output, stderr=output
        )
    PORTS[process.pid] = port
    try:
        if ready:
            asyncio.run(_until_caught_up(process))
        yield process
    finally:
        process.terminate()
        process.wait(30)


PORTS: dict[int, int] = {}


async def _until_caught_up(process: "subprocess.Popen[bytes]") -> None:
    """Wait until the operator leads and its queue is empty."""
    url = f"http://127.0.0.1:{PORTS[process.pid]}/metrics"
    async with aiohttp.ClientSession() as session:
        while True:
            assert process.poll() is None, "the operator ended"
            try:
                async with session.get(url) as response:
                    values = dict(
                        line.rsplit(" ", 1) for line in (await response.text()).splitlines() if line[:1] != "#"
                    )
                    if float(values["finetune_leader"]) and not float(values["finetune_queue_depth"]):
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.25)


def _memory(process: "subprocess.Popen[bytes]") -> str:
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if ":" in line
    )
    now, most = (int(status[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return f"{now:.0f} MB, {most:.0f} MB at most"


if __name__ == "__main__":
    main()
