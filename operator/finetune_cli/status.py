"""``ftj status``: the jobs in a cluster, asked of kubectl; also as ``kubectl ftj``."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO, Annotated

import typer
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from finetune_cli.exit_codes import DONE, FAILED
from finetune_cli.show_status import Document, Job, full_name, job_line, job_view, jobs_view

RESOURCE = "finetunejobs.finetune.dev"
PIPE_WIDTH = 200
"""Columns where there is no terminal to ask: a reader such as grep wants each job on one line."""
SECONDS, LONGEST_SECONDS = 1.0, 10.0
"""Between two questions of one who watches: ten times the time that an answer takes, within these."""
TRIES = 60
"""How often in a row one who watches asks again while the cluster cannot be reached."""
KLOG = re.compile(r"[IWEF]\d{4} \d\d:\d\d:\d\d")
"""How lines begin that kubectl logs for its developers; what it tells people follows them."""


def status(
    name: Annotated[str | None, typer.Argument(help="Show this job alone, and more of it.", show_default=False)] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow changes; of one job to its end: 0 Succeeded, 1 Failed.")
    ] = False,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Instead of the context's.", show_default=False)
    ] = None,
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="In every namespace.")] = False,
    context: Annotated[
        str | None, typer.Option("--context", help="Of the kubeconfig, instead of the current.", show_default=False)
    ] = None,
) -> None:
    """Show the jobs of a cluster. Asks kubectl, with its context and its login."""
    options = {"namespace": namespace, "context": context}
    question = [f"--{option}={value}" for option, value in options.items() if value is not None]
    question += ["--all-namespaces"] if all_namespaces else []
    kubectl = Kubectl([*question, "--", RESOURCE, *([] if name is None else [name])])
    console = Console()
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS"):
        console.width = PIPE_WIDTH

    def draw(jobs: list[Job]) -> RenderableType:
        if not jobs:
            where = "any namespace" if all_namespaces else f"namespace {namespace}" if namespace else "this namespace"
            return Text(f"no FineTuneJobs in {where}")
        return jobs_view(jobs, all_namespaces, watch, console.width) if name is None else job_view(jobs[0])

    try:
        if not watch:
            console.print(draw([Job(document) for document in kubectl.get()]))
            return
        with Display(console, draw, all_namespaces) as display:
            code = _watch(kubectl, display, name)
    except KubectlFailed:
        code = FAILED
    raise typer.Exit(code)


def plugin() -> None:
    """``kubectl ftj``: kubectl runs the executable ``kubectl-ftj`` with the arguments that follow."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(status)
    app(prog_name="kubectl ftj")


def _watch(kubectl: "Kubectl", display: "Display", name: str | None) -> int:
    """Show the jobs as they change; for one job, until it is finished. Gives the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the terminal is left in order
    for jobs in _asked_again_and_again(kubectl):
        display.show(jobs)
        if name is not None and not jobs:
            _say(f"{name} was deleted")
            return FAILED
        if name is not None and jobs[0].finished:
            return DONE if jobs[0].phase == "Succeeded" else FAILED
    raise AssertionError("it never ends")


def _asked_again_and_again(kubectl: "Kubectl") -> Iterator[list[Job]]:
    """All jobs as they are, for ever; a cluster that cannot be reached for a while is waited for."""
    jobs: dict[tuple[str, str], Job] = {}
    worked, failures = False, 0
    while True:
        asked = time.monotonic()
        try:
            listed = [Job(document) for document in kubectl.get(may_be_gone=worked)]
            worked, failures = True, 0
        except KubectlFailed:
            failures += 1
            if not worked or failures > TRIES:
                raise
        pause = min(max(SECONDS, 10 * (time.monotonic() - asked)), LONGEST_SECONDS)
        if not failures:
            jobs = {_key(job): job.seen_after(jobs.get(_key(job))) for job in listed}
            yield list(jobs.values())
        time.sleep(pause)


def _key(job: Job) -> tuple[str, str]:
    return job.namespace, job.name


class Display:
    """Jobs that change: drawn in place on a terminal, a line for each change elsewhere (a log, CI)."""

    def __init__(self, console: Console, draw: Callable[[list[Job]], RenderableType], everywhere: bool) -> None:
        self._console = console
        self._draw = draw
        self._everywhere = everywhere
        self._jobs: list[Job] = []
        self._lines: dict[str, str] | None = None
        """What was printed last, by full name."""
        self._live: Live | None = None
        if sys.stdout.isatty() and not console.is_dumb_terminal:
            # Drawn every second, changed or not: ages grow.
            self._live = Live(get_renderable=lambda: draw(self._jobs), console=console, refresh_per_second=1)

    def __enter__(self) -> "Display":
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None and self._live.is_started:
            self._live.stop()

    def show(self, jobs: list[Job]) -> None:
        """Show them as they are now."""
        self._jobs = jobs
        if self._live is None:
            self._print_changes(jobs)
        elif self._live.is_started:
            self._live.refresh()
        else:
            self._live.start(refresh=True)

    def _print_changes(self, jobs: list[Job]) -> None:
        if self._lines is None and not jobs:
            self._console.print(self._draw(jobs))
        before = self._lines or {}
        self._lines = {full_name(job, self._everywhere): job_line(job, self._everywhere) for job in jobs}
        changed = [line for name, line in self._lines.items() if before.get(name) != line]
        for line in [*changed, *(f"{name}  deleted" for name in before if name not in self._lines)]:
            self._console.print(Text(line), soft_wrap=True)


class KubectlFailed(Exception):
    """It could not answer, and the person has been told why."""


class Kubectl:
    """``kubectl get`` for FineTuneJobs, run as the person would run it: its prompts work, its messages are told."""

    def __init__(self, question: list[str]) -> None:
        self._question = question
        self._told: set[str] = set()
        """What was said since it last had nothing to say: nobody wants to read it every second."""

    def get(self, *, may_be_gone: bool = False) -> list[Document]:
        """The jobs as they are now; ``may_be_gone``: it is no error that the one asked for is not there.

        Raises:
            KubectlFailed: it could not tell.
        """
        text = self._run("--output=json", "--request-timeout=30s", *(["--ignore-not-found"] if may_be_gone else []))
        if may_be_gone and not text.strip():
            return []
        try:
            answer = Document(json.loads(text))
        except ValueError as error:
            self._tell(f"kubectl: not the JSON that was asked for: {Document(text[:80]).text!r}")
            raise KubectlFailed from error
        return answer["items"].items() if answer["kind"].text == "List" else [answer]

    def _run(self, *options: str) -> str:
        command = ["kubectl", "get", *options, *self._question]
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as error:
            self._tell(f"cannot run kubectl ({error.strerror}): install it, and log in to the cluster with it")
            raise KubectlFailed from error
        assert process.stdout is not None
        assert process.stderr is not None
        said: list[str] = []
        listener = threading.Thread(target=self._listen, args=(process.stderr, said), daemon=True)
        listener.start()
        try:
            text = process.stdout.read().decode(errors="replace")
        finally:
            process.terminate()  # where we are interrupted; else it has ended
            process.wait()
            listener.join(timeout=5)
            process.stdout.close()
        if process.returncode != 0:
            if not said:
                self._tell(f"kubectl ended with {process.returncode}")
            raise KubectlFailed
        if not said:
            self._told.clear()
        return text

    def _listen(self, lines: IO[bytes], said: list[str]) -> None:
        """Pass on at once what kubectl tells: it may be how to log in."""
        with lines:
            for line in lines:
                text = Document(line.decode(errors="replace")).text
                if text and not KLOG.match(text):
                    said.append(text)
                    self._tell(f"kubectl: {text}")

    def _tell(self, line: str) -> None:
        if line not in self._told:
            _say(line)
        self._told.add(line)


def _say(line: str) -> None:
    print(f"ftj: {line}", file=sys.stderr)
