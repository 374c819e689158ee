"""Plays scheduler and kubelet for the pods of a ``ControlPlane``: their commands run as processes of this machine.

The API server, the Job controller and the garbage collector see what they would see of a node: bindings, statuses, exit
codes, termination messages, logs, an end in grace. What this cannot show:

- images: nothing is pulled, the code is this checkout's, and a command is not looked up in an image's file system;
- isolation: no cgroups (no memory limit, no real OOMKilled), users, read-only roots, capabilities or network; security
  contexts, resources, probes, hooks, init containers and restart policies are not looked at;
- mounts: a path is not mounted but replaced by a folder's in the values of environment variables. Claims, emptyDirs,
  Secrets and ConfigMaps are folders without a size, the last two read once, when a pod starts; of a ConfigMap the named
  items, as text; other volumes are left out;
- names: a host name of a pod in its Service is replaced, in environment variables, by the one address that all have;
- scheduling: every pod fits the one node, unless a test holds all of them back; no taints, GPUs or queues;
- a node that is lost, and pods whose node forgot them.
"""

import base64
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Protocol
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from control_plane import UNREACHABLE, ControlPlane, Json
from finetune_core.contract.environment import EXIT_TERMINATED, TERMINATION_BYTES, TERMINATION_VARIABLE
from servers import HOST

POLL_SECONDS = 0.1
EXIT_KILLED = 128 + signal.SIGKILL
EXIT_NOT_STARTED = 128
"""What containerd says of a command that is not there."""

ENTRY_POINT = "finetune-trainer"
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What a process has besides its pod's variables: one core, no GPU, and nothing of the person who runs the tests."""


@dataclass(frozen=True)
class Answer:
    """What a test lets a pod do instead of running its command."""

    exit_code: int = 0
    message: str = ""
    """Its termination message."""
    log: str = ""
    seconds: float = 0.0
    """How long it runs."""
    reason: str | None = None
    """Why its container ended; by default Completed or Error, as the exit code has it."""
    conditions: Sequence[Json] = ()
    """Conditions of the pod that come with its end, such as DisruptionTarget."""
    never_ends: bool = False
    """It runs until it is deleted or evicted."""


class _Run(Protocol):
    """Something that runs, as ``subprocess.Popen`` shows it."""

    def poll(self) -> int | None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class _Process:
    """A command; nothing of it is left once it has ended."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], folder: Path, log: Path) -> None:
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command, env=environment, cwd=folder, stdout=output, stderr=output, start_new_session=True
            )

    def poll(self) -> int | None:
        code = self._process.poll()
        if code is None:
            return None
        self._kill_all()  # a container's processes end with its first one
        return code if code >= 0 else 128 - code

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._kill_all()
        self._process.wait()

    def _kill_all(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


class _Played:
    """An answer in the place of a command."""

    def __init__(self, answer: Answer, message: Path, log: Path) -> None:
        self._exit_code = answer.exit_code
        self._ends = float("inf") if answer.never_ends else time.monotonic() + answer.seconds
        self._message = message
        message.write_text(answer.message)
        log.write_text(answer.log)

    def poll(self) -> int | None:
        return self._exit_code if time.monotonic() >= self._ends else None

    def terminate(self) -> None:
        self._stop(EXIT_TERMINATED)

    def kill(self) -> None:
        self._stop(EXIT_KILLED)

    def _stop(self, exit_code: int) -> None:
        if self.poll() is None:
            self._exit_code, self._ends = exit_code, time.monotonic()
            self._message.write_text("")  # it did not get to say it


class _Pod:
    """A pod that was started here."""

    def __init__(self, seen: Json, run: _Run, message: Path, answer: Answer | None) -> None:
        metadata, spec = seen["metadata"], seen["spec"]
        self.uid: str = metadata["uid"]
        self.namespace: str = metadata["namespace"]
        self.name: str = metadata["name"]
        self.run = run
        self.evicted = False
        self.reported: Json | None = None
        """The status that the API server has."""
        self.released = False
        """Its deletion has been granted."""
        self._container: Json = spec["containers"][0]
        self._default_grace = float(spec["terminationGracePeriodSeconds"])
        self._message = message
        self._answer = answer
        self._started = _now()
        self._ended: str | None = None
        self._exit_code: int | None = None
        self._kill_at: float | None = None

    @property
    def ended(self) -> bool:
        return self._ended is not None

    def look(self, deletion_grace: float | None) -> None:
        """See whether it has ended; ask it to, if it is deleted or evicted, and after the grace period make it."""
        self._exit_code = self.run.poll()
        if self._exit_code is not None:
            self._ended = self._ended or _now()
            return
        if deletion_grace is None and not self.evicted:
            return
        if self._kill_at is None:
            self._kill_at = time.monotonic() + (self._default_grace if deletion_grace is None else deletion_grace)
            self.run.terminate()
        elif time.monotonic() >= self._kill_at:
            self.run.kill()

    def status(self) -> Json:
        """Its status, as kubelet would report it."""
        if self._exit_code is None:
            state: Json = {"running": {"startedAt": self._started}}
            changes: Json = {"phase": "Running", "startTime": self._started}
            ready: Json = {"status": "True", "lastTransitionTime": self._started}
        else:
            failed = self._exit_code != 0
            usual = "Error" if failed else "Completed"
            state = {
                "terminated": {
                    "exitCode": self._exit_code,
                    "reason": (self._answer and self._answer.reason) or usual,
                    "message": self._termination_message(),
                    "startedAt": self._started,
                    "finishedAt": self._ended,
                }
            }
            changes = {"phase": "Failed" if failed else "Succeeded"}
            ready = {
                "status": "False",
                "reason": "PodFailed" if failed else "PodCompleted",
                "lastTransitionTime": self._ended,
            }
        if self.ended and self.evicted:
            changes |= {"reason": "Evicted", "message": "The node was low on resource: memory."}
        status = {
            "name": self._container["name"],
            "image": self._container["image"],
            "imageID": "",
            "ready": self._exit_code is None,
            "started": self._exit_code is None,
            "restartCount": 0,
            "state": state,
        }
        conditions = [
            {"type": "Initialized", "status": "True", "lastTransitionTime": self._started},
            {"type": "Ready"} | ready,
            {"type": "ContainersReady"} | ready,
            *self._ending_conditions(),
        ]
        return changes | {"conditions": conditions, "containerStatuses": [status]}

    def _ending_conditions(self) -> list[Json]:
        if not self.ended:
            return []
        found = [*self._answer.conditions] if self._answer else []
        if self.evicted:
            found.append(
                {
                    "type": "DisruptionTarget",
                    "status": "True",
                    "reason": "TerminationByKubelet",
                    "message": "The node was low on resource: memory.",
                }
            )
        return [{"lastTransitionTime": self._ended} | condition for condition in found]

    def _termination_message(self) -> str:
        if not self._message.exists():
            return ""
        return self._message.read_bytes()[-TERMINATION_BYTES:].decode(errors="replace")


class PodRunner:
    """Runs pods while it is open; when it is closed, it ends their processes without a word to the API server."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.hold = False
        """Leave new pods Pending, as if they fit no node."""
        self.script: Callable[[Json], Answer | None] | None = None
        """Asked for each pod that is to be started; a pod for which it gives None is really run."""
        self.node = f"test-{uuid4().hex[:8]}"
        self._plane = plane
        self._folder = folder
        self._pods: dict[str, _Pod] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="pod-runner")
        self._kubelet = _kubelet(plane, self._log)
        self._kubelet_thread = threading.Thread(target=self._kubelet.serve_forever, args=(0.05,), name="kubelet")

    def __enter__(self) -> "PodRunner":
        self._make_node()
        self._kubelet_thread.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join()
        for pod in self._pods.values():
            pod.run.kill()
        self._kubelet.shutdown()
        self._kubelet_thread.join()
        self._kubelet.server_close()
        with suppress(*UNREACHABLE):
            self._plane.request("DELETE", f"/api/v1/nodes/{self.node}")

    def claim(self, namespace: str, name: str) -> Path:
        """The folder that stands for that claim's volume; there from the first pod that mounts it."""
        return self._folder / namespace / "claims" / name

    def evict(self, namespace: str, name: str) -> None:
        """Let the node run out of memory: the pod is asked to stop, fails, and says that it was disrupted.

        A node that is low on memory gives no time in earnest; here it is the pod's grace period, as in an eviction for
        a soft threshold, so that the process's own exit code is seen.
        """
        [pod] = [pod for pod in list(self._pods.values()) if (pod.namespace, pod.name) == (namespace, name)]
        assert not pod.ended, f"{name} has ended: there is nothing to evict"
        pod.evicted = True

    def _make_node(self) -> None:
        status, answer = self._plane.request("POST", "/api/v1/nodes", {"metadata": {"name": self.node}})
        assert status == 201, answer
        found = {
            "addresses": [{"type": "InternalIP", "address": HOST}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._kubelet.server_port}},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "all is well"}],
        }
        self._patch_status(f"/api/v1/nodes/{self.node}", found)

    def _work(self) -> None:
        while not self._closing.wait(POLL_SECONDS):
            # While the API server is down, processes run on; what is to be said of them is said when it is back.
            with suppress(*UNREACHABLE):
                self._look_at_all()

    def _look_at_all(self) -> None:
        status, listed = self._plane.request("GET", "/api/v1/pods?resourceVersion=0")
        if status != 200:
            return
        pods = {pod["metadata"]["uid"]: pod for pod in listed["items"]}
        for uid in self._pods.keys() - pods.keys():  # deleted by force, or to the end
            self._pods.pop(uid).run.kill()
        for uid, pod in pods.items():
            if uid in self._pods:
                self._look_at(self._pods[uid], pod)
            elif pod["status"]["phase"] == "Pending" and pod["spec"].get("nodeName") in (None, self.node):
                self._begin(pod)

    def _look_at(self, pod: _Pod, seen: Json) -> None:
        metadata = seen["metadata"]
        deleted = "deletionTimestamp" in metadata
        pod.look(float(metadata["deletionGracePeriodSeconds"]) if deleted else None)
        if (status := pod.status()) != pod.reported and self._patch_status(_path(seen), status):
            pod.reported = status
        if deleted and pod.ended and not pod.released:
            options: Json = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod.uid}}
            code, _ = self._plane.request("DELETE", _path(seen), options)
            pod.released = code in (200, 404)

    def _begin(self, pod: Json) -> None:
        path, bound = _path(pod), "nodeName" in pod["spec"]
        if "deletionTimestamp" in pod["metadata"]:
            if bound:  # between its binding and its start
                self._plane.request("DELETE", path, {"gracePeriodSeconds": 0})
        elif self.hold and not bound:
            if "conditions" not in pod["status"]:
                held = {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": "0/1 nodes are available",
                    "lastTransitionTime": _now(),
                }
                self._patch_status(path, {"conditions": [held]})
        elif bound or self._bind(pod):
            self._start(pod)

    def _bind(self, pod: Json) -> bool:
        status, namespace = self._plane.request("GET", f"/api/v1/namespaces/{pod['metadata']['namespace']}")
        if status != 200 or namespace["status"]["phase"] != "Active":
            return False  # left by a test that is over: not for this one's script
        target = {"apiVersion": "v1", "kind": "Node", "name": self.node}
        binding = {"metadata": {"name": pod["metadata"]["name"]}, "target": target}
        status, _ = self._plane.request("POST", f"{_path(pod)}/binding", binding)
        return status == 201

    def _start(self, pod: Json) -> None:
        metadata = pod["metadata"]
        [container] = pod["spec"]["containers"]
        folder = self._folder / metadata["namespace"] / "pods" / metadata["name"]
        folder.mkdir(parents=True, exist_ok=True)
        log = self._log(metadata["namespace"], metadata["name"])
        message = folder / "termination-log"
        mounts = self._mounts(pod, container, folder)
        if mounts is None:
            return  # it is Pending until there are such Secrets and ConfigMaps, as on a node
        answer = self.script(pod) if self.script else None
        run: _Run
        if answer is None:
            environment = {**ENVIRONMENT, "HOME": str(folder), **_variables(pod, container, mounts)}
            environment[TERMINATION_VARIABLE] = str(message)
            try:
                run = _Process(_command(container), environment, folder, log)
            except OSError as error:
                answer = Answer(EXIT_NOT_STARTED, str(error), reason="StartError")
        if answer is not None:
            run = _Played(answer, message, log)
        self._pods[metadata["uid"]] = _Pod(pod, run, message, answer)

    def _mounts(self, pod: Json, container: Json, folder: Path) -> dict[str, Path] | None:
        """Mount paths and the folders that stand for them; None while a Secret or ConfigMap is missing."""
        namespace = pod["metadata"]["namespace"]
        folders: dict[str, Path] = {}
        for volume in pod["spec"].get("volumes", []):
            if claim := volume.get("persistentVolumeClaim"):
                folders[volume["name"]] = self.claim(namespace, claim["claimName"])
            elif "emptyDir" in volume:
                folders[volume["name"]] = folder / "volumes" / volume["name"]
            elif secret := volume.get("secret"):
                folders[volume["name"]] = self._folder / namespace / "secrets" / secret["secretName"]
                if not self._fill(folders[volume["name"]], namespace, secret):
                    return None
            elif config_map := volume.get("configMap"):
                folders[volume["name"]] = folder / "volumes" / volume["name"]
                if not self._lay_out(folders[volume["name"]], namespace, config_map):
                    return None
        for made in folders.values():
            made.mkdir(parents=True, exist_ok=True)
        return {
            mount["mountPath"]: folders[mount["name"]] / mount.get("subPath", "")
            for mount in container.get("volumeMounts", [])
            if mount["name"] in folders
        }

    def _fill(self, folder: Path, namespace: str, source: Json) -> bool:
        """Write the Secret's keys as files; whether a pod can have it."""
        status, secret = self._plane.request("GET", f"/api/v1/namespaces/{namespace}/secrets/{source['secretName']}")
        if status != 200:
            return bool(source.get("optional"))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for key, value in secret.get("data", {}).items():
            (folder / key).write_bytes(base64.b64decode(value))
        return True

    def _lay_out(self, folder: Path, namespace: str, source: Json) -> bool:
        """Write the ConfigMap's items behind links, as kubelet does; whether a pod can have them."""
        status, config_map = self._plane.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/{source['name']}")
        if status != 200 or any(item["key"] not in config_map["data"] for item in source["items"]):
            return False
        (folder / "..2026_01_01").mkdir(parents=True)
        (folder / "..data").symlink_to("..2026_01_01")
        for item in source["items"]:
            (folder / "..2026_01_01" / item["path"]).write_text(config_map["data"][item["key"]], encoding="utf-8")
            (folder / item["path"]).symlink_to(f"..data/{item['path']}")
        return True

    def _patch_status(self, path: str, status: Json) -> bool:
        kind = "application/strategic-merge-patch+json"
        code, _ = self._plane.request("PATCH", f"{path}/status", {"status": status}, kind)
        return code in (200, 404)

    def _log(self, namespace: str, name: str) -> Path:
        return self._folder / namespace / "pods" / name / "log"


def _kubelet(plane: ControlPlane, log: Callable[[str, str], Path]) -> ThreadingHTTPServer:
    """Serves containers' logs to the API server, which does not ask whose certificate that is."""

    class Logs(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            match url.path.split("/"):
                case ["", "containerLogs", namespace, pod, _] if (path := log(namespace, pod)).exists():
                    self.send_response(200)
                    content = _part(path.read_bytes(), parse_qs(url.query))
                case _:
                    self.send_response(404)
                    content = b"no such log\n"
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(plane.certificate, plane.key)
    server = ThreadingHTTPServer((HOST, 0), Logs)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


def _part(content: bytes, query: dict[str, list[str]]) -> bytes:
    """The last ``tailLines`` lines, and of these the first ``limitBytes``, as kubelet does it."""
    if "tailLines" in query:
        lines = content.splitlines(keepends=True)
        content = b"".join(lines[max(0, len(lines) - int(query["tailLines"][0])) :])
    return content[: int(query["limitBytes"][0])] if "limitBytes" in query else content


def _command(container: Json) -> list[str]:
    """What to run; the trainer's image has an entry point, which a container without a command of its own gets."""
    words = [*container.get("command", [ENTRY_POINT]), *container.get("args", [])]
    return [sys.executable, "-m", "finetune_trainer.main", *words[1:]] if words[0] == ENTRY_POINT else words


def _variables(pod: Json, container: Json, mounts: dict[str, Path]) -> dict[str, str]:
    """The container's environment, with folders in the place of mount paths, and this machine in that of host names."""
    found = {variable["name"]: _value(pod, variable) for variable in container.get("env", [])}
    if subdomain := pod["spec"].get("subdomain"):
        host = re.compile(rf"[a-z0-9-]+\.{re.escape(subdomain)}(?=$|:)")
        found = {name: host.sub(HOST, value) for name, value in found.items()}
    if not mounts:
        return found
    longest_first = sorted(mounts, key=len, reverse=True)
    # In one pass: a folder's own path may contain what looks like a mount path.
    paths = re.compile(rf'(?<![\w.-])({"|".join(map(re.escape, longest_first))})(?=$|[/"])')
    return {name: paths.sub(lambda match: str(mounts[match[1]]), value) for name, value in found.items()}


def _value(pod: Json, variable: Json) -> str:
    """What a variable is set to: a text, or an annotation or a label of the pod."""
    if "valueFrom" not in variable:
        return str(variable.get("value", ""))
    path = re.fullmatch(r"metadata\.(annotations|labels)\['(.+)'\]", variable["valueFrom"]["fieldRef"]["fieldPath"])
    assert path is not None, f"not played here: {variable}"
    return str(pod["metadata"][path[1]][path[2]])


def _path(pod: Json) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
