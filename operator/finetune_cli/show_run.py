"""A run on a terminal: what it does now, a bar with loss and time left, and where everything lies at the end."""

from types import TracebackType

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from finetune_core.api.location import FileUri, parse_uri
from finetune_core.contract import Place, Progress, RunReport


class RunDisplay:
    """One step's display: live on a terminal, a line per event elsewhere (a log, CI)."""

    def __init__(self, name: str, console: Console) -> None:
        self._console = console
        self._live = console.is_terminal
        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("[bold]" + name),
            TextColumn("{task.fields[stage]}", markup=False),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}", markup=False),
            console=console,
            transient=True,
        )
        self._spinner = Bar(
            SpinnerColumn(),
            TextColumn("[bold]" + name),
            TextColumn("{task.fields[stage]}", markup=False),
            console=console,
            transient=True,
        )
        self._waiting: TaskID | None = None
        self._training: TaskID | None = None
        self._started: tuple[float, int] | None = None
        self._eval_loss: float | None = None

    def __enter__(self) -> "RunDisplay":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live:  # where nothing was drawn, stop would print an empty line
            self._bar.stop()
            self._spinner.stop()

    def stage(self, text: str) -> None:
        """Show what the step does now."""
        if not self._live:
            self._console.print(text, highlight=False)
        elif self._training is not None:
            self._bar.update(self._training, stage=text)
        elif self._waiting is None:
            self._waiting = self._spinner.add_task("", stage=text)
            self._spinner.start()
        else:
            self._spinner.update(self._waiting, stage=text)

    def progress(self, progress: Progress) -> None:
        """Show a logged step."""
        if progress.eval_loss is not None:
            self._eval_loss = progress.eval_loss
        if self._started is None:
            self._started = (progress.time, progress.step)
        numbers = self._numbers(progress)
        if not self._live:
            self._console.print(f"step {progress.step}/{progress.total_steps}  {numbers}", highlight=False)
            return
        if self._training is None:
            self._spinner.stop()
            self._training = self._bar.add_task("", total=progress.total_steps, stage="training", numbers="")
            self._bar.start()
        self._bar.update(self._training, completed=progress.step, numbers=numbers)

    def _numbers(self, progress: Progress) -> str:
        shown = []
        if progress.loss is not None:
            shown.append(f"loss {progress.loss:.3f}")
        if self._eval_loss is not None:
            shown.append(f"validation {self._eval_loss:.3f}")
        assert self._started is not None
        since, first = self._started
        if progress.step > first:
            left = (progress.time - since) / (progress.step - first) * (progress.total_steps - progress.step)
            shown.append(f"{_duration(left)} left")
        return "  ".join(shown)


def show_summary(report: RunReport, output: Place, folders: list[str], console: Console) -> None:
    """What came of the run, and where everything lies."""
    where = _readable(output.uri)
    table = Table.grid(padding=(0, 2))
    if report.eval_loss is not None and report.eval_loss_before is not None:
        table.add_row("validation loss", Text(f"{report.eval_loss_before:.3f} before, {report.eval_loss:.3f} after"))
    table.add_row("training loss", Text(f"{report.train_loss:.3f}"))
    if report.accuracy is not None:
        right = report.accuracy
        table.add_row("right labels", Text(f"{right.before:.0%} before, {right.after:.0%} after, of {right.rows}"))
    if report.best_step is not None and report.best_step != report.steps:
        table.add_row("taken from", Text(f"step {report.best_step}, where the validation loss was lowest"))
    if report.stopped_early:
        table.add_row("stopped early", Text("the validation loss no longer fell"))
    for folder in folders:
        table.add_row(folder, Text(f"{where}/{folder}", overflow="fold"))
    table.add_row("report", Text(f"{where}/report.html", overflow="fold"))
    if report.pushed is not None:
        table.add_row("hub", Text("pushed" if report.pushed else f"not pushed: {report.push_problem}"))
    title = f"{report.job_name}: {report.steps} steps in {_duration(report.seconds)}"
    console.print(Panel(table, title=title, title_align="left", expand=False))


def _readable(uri: str) -> str:
    location = parse_uri(uri)
    return location.path if isinstance(location, FileUri) else uri


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return (
        f"{whole // 60} min {whole % 60:02d} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    )
