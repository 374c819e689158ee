"""FineTuneJobs from a cluster, for people: a table of many, a fuller view of one, a line for a log.

They may have been written by another version of the operator, so nothing here relies on a field being there, and text
is printed as text: no markup, no control characters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from statistics import mean

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from finetune_core.api.status import FINISHED

CURVE_WIDTH = 20
BAR_WIDTH = 28
BLOCKS = "▁▂▃▄▅▆▇█"
PHASE_STYLES = {
    "Pending": "yellow",
    "Preparing": "cyan",
    "Queued": "yellow",
    "Training": "bold blue",
    "Succeeded": "green",
    "Failed": "bold red",
    "Suspended": "magenta",
}
SUMMARY = ("Ready", "Stalled", "Reconciling")
"""Conditions that tell what the phase tells, all three with the same reason and message."""
UNSEEN = "the operator has not seen this job yet; is it running?"
LEAST_NEEDED = ("Age", "GPU", "Method", "Eval-loss", "Loss curve", "ETA")
"""Columns that a narrow terminal goes without, in this order."""


@dataclass(frozen=True)
class Document:
    """A JSON value that may be missing, or not what this version expects: then it is empty, and never an error."""

    value: object

    def __getitem__(self, name: str) -> "Document":
        return Document(self.value.get(name) if isinstance(self.value, dict) else None)

    def items(self) -> list["Document"]:
        """The items of a list."""
        return [Document(item) for item in self.value] if isinstance(self.value, list) else []

    @property
    def text(self) -> str:
        """A string on one line, without anything that a terminal would act on."""
        if not isinstance(self.value, str):
            return ""
        return "".join(character for character in " ".join(self.value.split()) if character.isprintable())

    @property
    def number(self) -> float | None:
        """A number of a size that can be shown."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or not abs(self.value) < 1e18:
            return None
        return self.value

    @property
    def time(self) -> datetime | None:
        """A moment, as Kubernetes writes it."""
        try:
            time = datetime.fromisoformat(self.text)
        except ValueError:
            return None
        return time if time.tzinfo else time.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Job:
    """A FineTuneJob, and its losses as far as they were seen."""

    document: Document
    losses: tuple[tuple[float, float], ...] = ()
    """Step and loss."""

    @property
    def name(self) -> str:
        """Its name."""
        return self.document["metadata"]["name"].text

    @property
    def namespace(self) -> str:
        """Where it is."""
        return self.document["metadata"]["namespace"].text

    @property
    def uid(self) -> str:
        """Tells it from one that had the same name before."""
        return self.document["metadata"]["uid"].text

    @property
    def status(self) -> Document:
        """What the operator says of it."""
        return self.document["status"]

    @property
    def phase(self) -> str:
        """Empty until the operator has seen the job."""
        return self.status["phase"].text

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen."""
        return self.phase in FINISHED

    @property
    def method(self) -> str:
        """The planned one; before there is a plan, the one asked for."""
        return self.status["plan"]["method"].text or self.document["spec"]["method"].text

    @property
    def gpu(self) -> str:
        """The card it is planned for, or asked for."""
        return self.status["plan"]["gpu"]["type"].text or self.document["spec"]["gpu"]["type"].text

    @property
    def reason(self) -> str:
        """Why it is in its phase, in one word."""
        return self._summary["reason"].text

    @property
    def message(self) -> str:
        """Why it is in its phase, for people."""
        return self._summary["message"].text if self.phase else UNSEEN

    def told(self, kind: str) -> str:
        """The message of a condition that holds."""
        condition = self._conditions.get(kind, Document(None))
        return condition["message"].text if condition["status"].text == "True" else ""

    @property
    def _summary(self) -> Document:
        return next((self._conditions[kind] for kind in SUMMARY if kind in self._conditions), Document(None))

    @property
    def _conditions(self) -> dict[str, Document]:
        return {condition["type"].text: condition for condition in self.status["conditions"].items()}

    def seen_after(self, before: "Job | None") -> "Job":
        """This job with the losses of ``before``; those of steps that are trained again are dropped."""
        losses = before.losses if before is not None and before.uid == self.uid else ()
        step, loss = self.status["progress"]["step"].number, self.status["progress"]["loss"].number
        if step is None or loss is None:
            return Job(self.document, losses)
        return Job(self.document, (*(earlier for earlier in losses if earlier[0] < step), (step, loss)))


def jobs_view(jobs: list[Job], everywhere: bool, curves: bool, width: int) -> RenderableType:
    """A table that fits the width, and below it why jobs failed."""
    now = datetime.now(UTC)
    columns: dict[str, Callable[[Job], Text]] = {
        "Namespace": lambda job: Text(job.namespace),
        "Name": lambda job: Text(job.name, style="bold"),
        "Phase": _phase,
        "Method": lambda job: Text(job.method),
        "GPU": lambda job: Text(job.gpu),
        "Progress": lambda job: Text(_steps(job)),
        "Loss": lambda job: Text(_loss(job, "loss")),
        "Eval-loss": lambda job: Text(_loss(job, "evalLoss")),
        "Loss curve": lambda job: Text(curve(job).ljust(CURVE_WIDTH), style="cyan"),
        "ETA": lambda job: Text(_eta(job)),
        "Age": lambda job: Text(_age(job, now)),
    }
    if not everywhere:
        del columns["Namespace"]
    if not curves:
        del columns["Loss curve"]
    cells = {heading: [cell(job) for job in jobs] for heading, cell in columns.items()}
    for heading in LEAST_NEEDED:
        if _table_width(cells) > width:
            cells.pop(heading, None)
    table = _table()
    for heading in cells:
        right = heading in ("Progress", "Loss", "Eval-loss", "ETA", "Age")
        folds = heading in ("Name", "Namespace")
        table.add_column(heading, justify="right" if right else "left", no_wrap=not folds, overflow="fold")
    for row in zip(*cells.values(), strict=True):
        table.add_row(*row)
    failures = [_failure(job, everywhere) for job in jobs if job.phase == "Failed"]
    return Group(table, *([Text(), *failures] if failures else []))


def job_view(job: Job) -> RenderableType:
    """All that is known of one job, for a person who wonders how it does."""
    now = datetime.now(UTC)
    heading = Text.assemble((job.name, "bold"), "  ", _phase(job), (f"  {job.namespace}, {_age(job, now)} old", "dim"))
    rows = Table.grid(padding=(0, 2))
    rows.add_column(no_wrap=True, style="dim")
    rows.add_column(overflow="fold")
    for label, lines in (
        ("model", [job.document["spec"]["model"]["uri"].text]),
        ("conditions", _conditions(job)),
        ("data", _data(job)),
        ("plan", [job.told("Planned")]),
        ("progress", _progress(job)),
        ("loss", _losses(job)),
        ("verdict", _verdict(job)),
        ("result", _result(job)),
        ("next", [_next(job)]),
    ):
        if shown := [line for line in lines if line]:
            rows.add_row(label, Text("\n").join(Text.assemble(line) for line in shown))
    parts: list[RenderableType] = [heading, Text(_why(job)), Text(), rows]
    if attempts := job.status["attempts"].items():
        parts += [Text(), _attempts(attempts, now)]
    return Group(*parts)


def job_line(job: Job, everywhere: bool) -> str:
    """What matters of a job now, on one line without colours."""
    parts = [full_name(job, everywhere), job.phase or "-"]
    if job.phase == "Training":
        loss, eval_loss, eta = _loss(job, "loss"), _loss(job, "evalLoss"), _eta(job)
        parts += [f"{job.method} on {job.gpu}", _steps(job), f"loss {loss}" if loss else ""]
        parts += [f"eval-loss {eval_loss}" if eval_loss else "", f"{eta} left" if eta else ""]
    else:
        parts.append(_why(job))
    return "  ".join(part for part in parts if part)


def full_name(job: Job, everywhere: bool) -> str:
    """The name, with the namespace where jobs of several are shown."""
    return f"{job.namespace}/{job.name}" if everywhere else job.name


def curve(job: Job) -> str:
    """The losses as a row of blocks; where there are more than fit, each stands for the mean of its share."""
    losses = [loss for _, loss in job.losses]
    if len(losses) < 2:
        return ""
    width = min(len(losses), CURVE_WIDTH)
    edges = [column * len(losses) // width for column in range(width + 1)]
    means = [mean(losses[start:end]) for start, end in pairwise(edges)]
    low, span = min(means), max(means) - min(means)
    return "".join(BLOCKS[round((value - low) / span * (len(BLOCKS) - 1)) if span else 0] for value in means)


# Cells


def _phase(job: Job) -> Text:
    return Text(job.phase or "-", style=PHASE_STYLES.get(job.phase, ""))


def _steps(job: Job) -> str:
    progress = job.status["progress"]
    step, total = progress["step"].number, progress["totalSteps"].number
    return "" if step is None or total is None else f"{step:.0f}/{total:.0f}"


def _loss(job: Job, name: str) -> str:
    loss = job.status["progress"][name].number
    return "" if loss is None else f"{loss:.4g}"


def _eta(job: Job) -> str:
    """Only while it trains: while it waits for the next attempt, nobody knows."""
    seconds = job.status["progress"]["etaSeconds"].number
    return "" if seconds is None or job.phase != "Training" else _duration(seconds)


def _age(job: Job, now: datetime) -> str:
    created = job.document["metadata"]["creationTimestamp"].time
    return "" if created is None else _duration((now - created).total_seconds())


def _duration(seconds: float) -> str:
    """``45s``, ``12m``, ``1h20m``, ``2d3h``: the way kubectl and our ETA column write it."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    minutes = whole // 60
    if minutes < 60:
        return f"{minutes}m"
    hours = minutes // 60
    return f"{hours}h{minutes % 60:02d}m" if hours < 24 else f"{hours // 24}d{hours % 24}h"


def _failure(job: Job, everywhere: bool) -> Text:
    return Text.assemble(
        (full_name(job, everywhere), "bold"), ": ", (job.reason or "Failed", "red"), f": {job.message}"
    )


def _why(job: Job) -> str:
    return f"{job.reason}: {job.message}" if job.phase == "Failed" and job.reason else job.message


# Rows of the fuller view. An empty one is left out.


def _conditions(job: Job) -> list[str]:
    """Those that are not as they should be, unless the phase's own message says the same."""
    return [
        f"{condition['type'].text} is {condition['status'].text}: {condition['message'].text}"
        for condition in job.status["conditions"].items()
        if condition["type"].text not in SUMMARY
        and condition["status"].text != "True"
        and condition["message"].text != job.message
    ]


def _data(job: Job) -> list[str]:
    findings = [
        f"{finding['code'].text} {_count(finding['count'])}{' (error)' * (finding['severity'].text == 'error')}"
        for finding in job.status["dataset"]["findings"].items()
    ]
    return [job.told("DatasetReady"), ", ".join(findings)]


def _progress(job: Job) -> list[Text]:
    progress = job.status["progress"]
    step, total, speed = (progress[name].number for name in ("step", "totalSteps", "tokensPerSecond"))
    if step is None or total is None:
        return []
    done = round(min(max(step / total, 0), 1) * BAR_WIDTH) if total > 0 else 0
    eta = _eta(job)
    shown = [_steps(job), f"{eta} left" if eta else "", f"{speed:,.0f} tokens/s" if speed is not None else ""]
    bar = (("█" * done, PHASE_STYLES.get(job.phase, "")), ("░" * (BAR_WIDTH - done), "dim"))
    return [Text.assemble(*bar, "  ", "  ".join(part for part in shown if part))]


def _losses(job: Job) -> list[str]:
    loss, eval_loss = _loss(job, "loss"), _loss(job, "evalLoss")
    shown = (loss, f"{eval_loss} on validation rows" if eval_loss else "", curve(job))
    return ["  ".join(part for part in shown if part)]


def _verdict(job: Job) -> list[str]:
    diagnosis = job.status["diagnosis"]
    return [diagnosis["verdict"].text, diagnosis["advice"].text]


def _result(job: Job) -> list[str]:
    artifact = job.status["artifact"]
    if not artifact.value:
        return []
    size, files = artifact["sizeBytes"].number, _count(artifact["files"])
    shown = [f"{artifact['method'].text} of {artifact['baseModel'].text}", f"{files} files" if files else ""]
    shown.append(f"{size / 1024**2:,.1f} MiB" if size is not None else "")
    return [", ".join(part for part in shown if part), artifact["reportURI"].text]


def _next(job: Job) -> str:
    artifact = job.status["artifact"]
    if job.phase == "Succeeded" and (uri := artifact["uri"].text):
        return f"the model lies at {uri}/{'model' if artifact['method'].text == 'full' else 'adapter'}: read the report"
    if job.phase == "Failed":
        delete = f"kubectl delete finetunejob {job.name} --namespace {job.namespace}"
        return f"mend what the message names, delete the job ({delete}), and apply it anew"
    return ""


def _attempts(attempts: list[Document], now: datetime) -> Table:
    table = _table()
    for heading in ("Attempt", "Method", "Micro-batch", "Started", "Took", "Outcome"):
        table.add_column(heading, no_wrap=True)
    table.add_column("Reason", overflow="fold")
    for attempt in attempts:
        start, end = attempt["startTime"].time, attempt["endTime"].time
        reason, message = attempt["reason"].text, attempt["message"].text
        table.add_row(
            _count(attempt["number"]),
            Text(attempt["method"].text),
            _count(attempt["microBatchSize"]),
            start.astimezone().strftime("%m-%d %H:%M") if start else "",
            _duration(((end or now) - start).total_seconds()) if start else "",
            Text(attempt["outcome"].text or ("running" if end is None else "")),
            Text(f"{reason}: {message}" if reason and message else reason or message),
        )
    return table


def _count(document: Document) -> str:
    return "" if document.number is None else f"{document.number:,.0f}"


GAP = 2


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)


def _table_width(cells: dict[str, list[Text]]) -> int:
    widths = [max(len(heading), *(cell.cell_len for cell in column)) for heading, column in cells.items()]
    return sum(widths) + GAP * (len(widths) - 1)
