"""``ftj status`` and ``kubectl ftj``, with a stand-in for kubectl.

The stand-in answers what the test wrote down for it. It cannot show that kubectl takes these options, what a server
answers and how, or how kubectl ends when its server goes away: tests/integration/test_status_live.py has the real one.
"""

import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest
from command import FTJ, ftj, refusal
from jobs import plan_of
from rich.cells import cell_len

from finetune_cli.show_status import CURVE_WIDTH, Document, Job, curve

Json = dict[str, Any]

KUBECTL = """\
#!{python}
import json, pathlib, sys
folder = pathlib.Path(__file__).parent
with (folder / "asked").open("a") as asked:
    asked.write(json.dumps(sys.argv[1:]) + "\\n")
answers = json.loads((folder / "answers.json").read_text())
answer = answers.pop(0)
if answers:
    (folder / "answers.json").write_text(json.dumps(answers))
sys.stderr.write(answer["error"])
sys.stdout.buffer.write(answer["text"].encode())
sys.exit(answer["code"])
"""


class Kubectl:
    """The stand-in: the answers it will give, each in turn and the last one for ever, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "kubectl").write_text(KUBECTL.format(python=sys.executable))
        (folder / "kubectl").chmod(0o755)
        self._answers: list[Json] = []

    @property
    def path(self) -> str:
        return f"{self.folder}{os.pathsep}{os.environ['PATH']}"

    def gets(self, *jobs: Json, alone: bool = False, error: str = "", code: int = 0) -> None:
        answer = jobs[0] if alone else {"apiVersion": "v1", "items": jobs, "kind": "List"}
        text = "" if code else json.dumps(answer, indent=4, ensure_ascii=False)
        self._answer(text, error, code)

    def prints(self, text: str) -> None:
        self._answer(text)

    def asked(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "asked").read_text().splitlines()]

    def _answer(self, text: str, error: str = "", code: int = 0) -> None:
        self._answers.append({"text": text, "error": error, "code": code})
        (self.folder / "answers.json").write_text(json.dumps(self._answers))


@pytest.fixture
def kubectl(tmp_path: Path) -> Kubectl:
    return Kubectl(tmp_path / "bin")


@pytest.fixture
def show(kubectl: Kubectl, tmp_path: Path) -> Callable[..., str]:
    """What ``ftj status`` prints where all goes well."""

    def show(*arguments: str, **environment: str) -> str:
        ended = ftj(tmp_path, "status", *arguments, PATH=kubectl.path, **environment)
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout

    return show


TIME = "2025-11-24T04:33:00Z"
RESOURCE = "finetunejobs.finetune.dev"


def summary(phase: str, reason: str, message: str) -> list[Json]:
    answers = {"Ready": phase == "Succeeded", "Stalled": phase == "Failed"}
    return [
        {"type": kind, "status": str(true), "reason": reason, "message": message, "lastTransitionTime": TIME}
        for kind, true in answers.items()
    ]


def holds(kind: str, message: str) -> Json:
    return {"type": kind, "status": "True", "reason": kind, "message": message, "lastTransitionTime": TIME}


def job(name: str = "support-bot", status: Any = None, namespace: str = "team-a") -> Json:
    return {
        "apiVersion": "finetune.dev/v1alpha1",
        "kind": "FineTuneJob",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-of-{name}", "creationTimestamp": TIME},
        "spec": {"model": {"uri": "hf://机构/小模型-指令版"}, "gpu": {"type": "A10"}},
        **({} if status is None else {"status": status}),
    }


def training(step: int = 340, loss: float = 1.234, name: str = "support-bot", **changes: Any) -> Json:
    progress = {"step": step, "totalSteps": 1200, "loss": loss, "evalLoss": 1.301, "etaSeconds": 4_830}
    status = {
        "phase": "Training",
        "conditions": [
            *summary("Training", "Training", "attempt 2 is training"),
            holds("DatasetReady", "1340 of 1400 rows are used, 134 of them for validation"),
            holds("Planned", "lora on A10: 189 steps"),
        ],
        "plan": json.loads(plan_of().to_json()),
        "dataset": {
            "rows": 1400,
            "usedRows": 1340,
            "rejectedRows": 60,
            "validationRows": 134,
            "findings": [
                {"code": "exact-duplicate", "severity": "error", "count": 60},
                {"code": "over-length", "severity": "warning", "count": 3},
            ],
        },
        "progress": progress | {"tokensPerSecond": 2310.4},
        "attempts": [
            {
                "number": 1,
                "method": "lora",
                "microBatchSize": 8,
                "startTime": "2025-11-24T01:33:00Z",
                "endTime": "2025-11-24T02:10:00Z",
                "outcome": "Failed",
                "reason": "OutOfMemory",
                "message": "out of memory in step 12",
            },
            {"number": 2, "method": "lora", "microBatchSize": 4, "startTime": "2025-11-24T02:10:10Z"},
        ],
    }
    return job(name, status | changes)


def succeeded(name: str = "support-bot") -> Json:
    message = "1200 steps, loss 0.9; the model lies at s3://models/support-bot"
    artifact = {
        "uri": "s3://models/support-bot",
        "sizeBytes": 161_234_567,
        "files": 12,
        "baseModel": "hf://机构/小模型-指令版",
        "method": "lora",
        "reportURI": "s3://models/support-bot/report.html",
    }
    changes = {"phase": "Succeeded", "conditions": summary("Succeeded", "Succeeded", message), "artifact": artifact}
    return training(1200, 0.9, name, **changes)


def failed(name: str = "support-bot", message: str = "secret, 3 of 1,400 rows: 密钥") -> Json:
    return job(name, {"phase": "Failed", "conditions": summary("Failed", "DatasetRefused", message)})


class TestTable:
    def test_has_a_line_for_each_job(self, kubectl: Kubectl, show: Callable[..., str]) -> None:
        kubectl.gets(training(), succeeded("tiny"), job("new"))
        heading, _, *lines = show().splitlines()
        assert heading.split() == ["Name", "Phase", "Method", "GPU", "Progress", "Loss", "Eval-loss", "ETA", "Age"]
        shown = [line.split()[:8] for line in lines]
        assert shown[0] == ["support-bot", "Training", "lora", "A10", "340/1200", "1.234", "1.301", "1h20m"]
        assert shown[1][:7] == ["tiny", "Succeeded", "lora", "A10", "1200/1200", "0.9", "1.301"]
        assert shown[2][:3] == ["new", "-", "A10"]

    def test_asks_kubectl_once_and_passes_its_options_on(self, kubectl: Kubectl, show: Callable[..., str]) -> None:
        kubectl.gets(training())
        show("-n", "team-a", "--context", "prod")
        assert kubectl.asked() == [
            ["get", "--output=json", "--request-timeout=30s", "--namespace=team-a", "--context=prod", "--", RESOURCE]
        ]

    def test_of_all_namespaces_names_them(self, kubectl: Kubectl, show: Callable[..., str]) -> None:
        kubectl.gets(training(), failed())
        printed = show("-A")
        assert "--all-namespaces" in kubectl.asked()[0]
        assert printed.splitlines()[2].split()[:3] == ["team-a", "support-bot", "Training"]
        assert "team-a/support-bot: DatasetRefused: secret" in printed

    def test_says_below_why_jobs_failed(self, kubectl: Kubectl, show: Callable[..., str]) -> None:
        kubectl.gets(failed("one"), training(name="two"), failed("three", "[red]no[/red] rows"))
        lines = show().splitlines()
        assert lines[-2:] == [
            "one: DatasetRefused: secret, 3 of 1,400 rows: 密钥",
            "three: DatasetRefused: [red]no[/red] rows",
        ]

    @pytest.mark.parametrize("width", [40, 80, 120])
    def test_fits_the_terminal_and_keeps_what_matters(
        self, kubectl: Kubectl, show: Callable[..., str], width: int
    ) -> None:
        kubectl.gets(training(name="a-name-of-45-characters-is-as-long-as-it-gets"), failed(message="坏" * 90))
        printed = show("-A", COLUMNS=str(width))
        assert max(map(cell_len, printed.splitlines())) <= width
        assert {"Training", "Failed", "340/1200", "1.234"} <= set(printed.split())

    def test_in_a_pipe_is_not_cut(self, kubectl: Kubectl, show: Callable[..., str]) -> None:
        kubectl.gets(training(name="a-name-of-45-characters-is-as-long-as-it-gets"))
        line = show("-A", COLUMNS="").splitlines()[2]
        assert " ".join(line.split()).startswith(
            "team-a a-name-of-45-characters-is-as-long-as-it-gets Training lora A10 340/1200 1.234 1.301 1h20m "
        )

    @pytest.mark.parametrize(
        ("arguments", "where"), [([], "this namespace"), (["-n", "ns"], "namespace ns"), (["-A"], "any namespace")]
    )
    def test_of_nothing_says_so(
        self, kubectl: Kubectl, show: Callable[..., str], arguments: list[str], where: str
    ) -> None:
        kubectl.gets()
        assert show(*arguments) == f"no FineTuneJobs in {where}\n"


class TestOneJob:
    @pytest.mark.parametrize("width", [80, 120])
    def test_that_trains(self, kubectl: Kubectl, show: Callable[..., str], width: int) -> None:
        kubectl.gets(training(), alone=True)
        printed = show("support-bot", COLUMNS=str(width))
        assert kubectl.asked()[0][-3:] == ["--", RESOURCE, "support-bot"]
        assert max(map(cell_len, printed.splitlines())) <= width
        for shown in (
            "support-bot  Training  team-a, ",
            "attempt 2 is training",
            "model     hf://机构/小模型-指令版",
            "1340 of 1400 rows are used, 134 of them for validation",
            "exact-duplicate 60 (error), over-length 3",
            "lora on A10: 189 steps",
            f"{'█' * 8}{'░' * 20}  340/1200  1h20m left  2,310 tokens/s",
            "1.234  1.301 on validation rows",
        ):
            assert shown in printed
        first, second = (line for line in printed.splitlines() if re.match(r"[12]  ", line))
        assert re.fullmatch(r"1 +lora +8 +\d\d-\d\d \d\d:\d\d +37m +Failed +OutOfMemory: .*", first.rstrip())
        assert re.fullmatch(r"2 +lora +4 +\d\d-\d\d \d\d:\d\d +\w+ +running", second.rstrip())

    def test_that_succeeded_says_where_the_model_lies(self, kubectl: Kubectl, show: Callable[..., str]) -> None:
        kubectl.gets(succeeded(), alone=True)
        printed = show("support-bot")
        assert "lora of hf://机构/小模型-指令版, 12 files, 153.8 MiB" in printed
        assert "s3://models/support-bot/report.html" in printed
        assert "next      the model lies at s3://models/support-bot/adapter: read the report" in printed
        assert " left" not in printed

    def test_that_failed_says_why_and_what_next(self, kubectl: Kubectl, show: Callable[..., str]) -> None:
        kubectl.gets(failed(), alone=True)
        printed = show("support-bot")
        assert "\nDatasetRefused: secret, 3 of 1,400 rows: 密钥\n" in printed
        assert "kubectl delete finetunejob support-bot --namespace team-a" in printed

    def test_names_a_condition_that_is_not_as_it_should_be(self, kubectl: Kubectl, show: Callable[..., str]) -> None:
        conditions = summary("Training", "Training", "attempt 2 is training")
        unhealthy = {"type": "LossHealthy", "status": "False", "reason": "Plateau", "message": "it no longer falls"}
        kubectl.gets(training(conditions=[*conditions, unhealthy]), alone=True)
        assert "conditions  LossHealthy is False: it no longer falls" in show("support-bot")

    def test_that_waits_shows_no_time_left(self, kubectl: Kubectl, show: Callable[..., str]) -> None:
        kubectl.gets(training(phase="Queued"), alone=True)
        assert " left" not in show("support-bot")

    def test_that_nobody_has_seen_says_so(self, kubectl: Kubectl, show: Callable[..., str]) -> None:
        kubectl.gets(job(), alone=True)
        assert "the operator has not seen this job yet" in show("support-bot")


ODD: list[Any] = [
    {},
    [],
    "text",
    7,
    {"phase": "Dreaming", "weather": {"rain": True}},
    {"phase": ["Training"], "conditions": "none", "plan": [], "progress": 5, "attempts": {"number": 1}, "dataset": 1},
    {
        "phase": "Training",
        "conditions": [None, 1, {"type": 5}, {"type": "Ready", "message": {"a": 1}}, {"status": "False"}],
        "plan": {"gpu": "A10", "reasons": [1, {}], "memory": {"peakBytes": "many"}, "hyperparameters": [1]},
        "dataset": {"usedRows": "all", "findings": [1, {}, {"code": 5, "count": "x"}]},
        "progress": {"step": -3, "totalSteps": 0, "loss": "NaN", "etaSeconds": 10**400, "tokensPerSecond": True},
        "attempts": [None, 3, {}, {"startTime": "yesterday", "endTime": 5}, {"startTime": "2025-11-24T02:10:10"}],
    },
    {"phase": "Succeeded", "artifact": {"uri": 5, "sizeBytes": []}, "progress": {"step": 1e300, "totalSteps": 1}},
]


class TestStatusOfAnotherVersion:
    """It is shown as far as it is understood."""

    @pytest.mark.parametrize("status", ODD, ids=range(len(ODD)))
    def test_of_one_job(self, kubectl: Kubectl, show: Callable[..., str], status: Any) -> None:
        kubectl.gets(job(status=status), alone=True)
        printed = show("support-bot")
        assert printed.startswith("support-bot  ")
        assert "None" not in printed

    def test_in_a_table(self, kubectl: Kubectl, show: Callable[..., str]) -> None:
        kubectl.gets(*(job(f"job-{number}", status) for number, status in enumerate(ODD)), 5)  # type: ignore[arg-type]
        lines = show().splitlines()[2:]
        names_and_phases = [line.split()[:2] for line in lines[: len(ODD)]]
        assert [name for name, _ in names_and_phases] == [f"job-{number}" for number in range(len(ODD))]
        assert [phase for _, phase in names_and_phases[4:]] == ["Dreaming", "-", "Training", "Succeeded"]


HOSTILE = "a\x1b]0;title\x07\x1b[31mb [bold red]c[/] \x00\x7f\x9b2J\u202e\nftj: all is well\r\u2028end"


@pytest.mark.parametrize("arguments", [[], ["support-bot"], ["support-bot", "--watch"]], ids=" ".join)
def test_text_cannot_act_on_the_terminal(kubectl: Kubectl, tmp_path: Path, arguments: list[str]) -> None:
    hostile = failed(message=HOSTILE)
    hostile["status"]["attempts"] = [{"number": 1, "reason": HOSTILE, "message": HOSTILE, "method": HOSTILE}]
    hostile["spec"]["model"]["uri"] = HOSTILE
    kubectl.gets(hostile, alone=bool(arguments))
    ended = ftj(tmp_path, "status", *arguments, PATH=kubectl.path, FORCE_COLOR="1", COLUMNS="400")
    assert ended.stderr == ""
    without_colours = re.sub(r"\x1b\[[\d;]*m", "", ended.stdout)
    assert not [character for character in without_colours if not character.isprintable() and character != "\n"]
    assert "a]0;title[31mb [bold red]c[/] 2J ftj: all is well end" in without_colours


class TestErrors:
    def test_without_kubectl_it_says_what_to_install(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        line = refusal(tmp_path, 1, "status", PATH=str(tmp_path / "empty"))
        assert line == "cannot run kubectl (No such file or directory): install it, and log in to the cluster with it"

    @pytest.mark.parametrize(
        "message",
        [
            'error: the server doesn\'t have a resource type "finetunejobs"',
            'Error from server (NotFound): finetunejobs.finetune.dev "nope" not found',
            'Error from server (Forbidden): finetunejobs.finetune.dev is forbidden: User "a[b]" cannot list',
        ],
    )
    @pytest.mark.parametrize("arguments", [[], ["nope"], ["--watch"], ["nope", "--watch"]], ids=" ".join)
    def test_what_kubectl_says_is_passed_on(
        self, kubectl: Kubectl, tmp_path: Path, message: str, arguments: list[str]
    ) -> None:
        kubectl.gets(error=f"{message}\n", code=1)
        assert refusal(tmp_path, 1, "status", *arguments, PATH=kubectl.path) == f"kubectl: {message}"

    def test_what_kubectl_logs_for_its_developers_is_not(self, kubectl: Kubectl, tmp_path: Path) -> None:
        log = 'E1124 04:33:00.123456    4242 memcache.go:265] "Unhandled Error" err="..."\n' * 5
        refused = "The connection to the server localhost:8080 was refused"
        kubectl.gets(error=f"{log}{refused}\n", code=1)
        assert refusal(tmp_path, 1, "status", PATH=kubectl.path) == f"kubectl: {refused}"

    def test_a_silent_failure_is_told(self, kubectl: Kubectl, tmp_path: Path) -> None:
        kubectl.gets(code=3)
        assert refusal(tmp_path, 1, "status", PATH=kubectl.path) == "kubectl ended with 3"

    def test_anything_but_json_is_told(self, kubectl: Kubectl, tmp_path: Path) -> None:
        kubectl.prints("Please enter Username: ")
        line = refusal(tmp_path, 1, "status", PATH=kubectl.path)
        assert line == "kubectl: not the JSON that was asked for: 'Please enter Username:'"

    def test_what_kubectl_says_while_it_works_is_passed_on_too(self, kubectl: Kubectl, tmp_path: Path) -> None:
        kubectl.gets(training(), error="To sign in, open the page and enter the code ABC\n")
        ended = ftj(tmp_path, "status", PATH=kubectl.path)
        assert ended.returncode == 0
        assert ended.stderr == "ftj: kubectl: To sign in, open the page and enter the code ABC\n"


class TestWatchOfOneJob:
    def test_prints_each_change_and_ends_with_the_job(self, kubectl: Kubectl, tmp_path: Path) -> None:
        small = job(status={"phase": "Queued", "conditions": summary("Queued", "WaitingForPod", "等待节点")})
        for seen in (job(), small, small, job(status={"phase": "Succeeded"})):
            kubectl.gets(seen, alone=True)
        ended = ftj(tmp_path, "status", "support-bot", "--watch", PATH=kubectl.path)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout.splitlines() == [
            "support-bot  -  the operator has not seen this job yet; is it running?",
            "support-bot  Queued  等待节点",
            "support-bot  Succeeded",
        ]

    def test_prints_how_training_goes(self, kubectl: Kubectl, tmp_path: Path) -> None:
        for seen in (training(10, 2.5), training(20, 2.25), succeeded()):
            kubectl.gets(seen, alone=True)
        ended = ftj(tmp_path, "status", "support-bot", "--watch", PATH=kubectl.path)
        assert ended.returncode == 0
        assert ended.stdout.splitlines() == [
            "support-bot  Training  lora on A10  10/1200  loss 2.5  eval-loss 1.301  1h20m left",
            "support-bot  Training  lora on A10  20/1200  loss 2.25  eval-loss 1.301  1h20m left",
            "support-bot  Succeeded  1200 steps, loss 0.9; the model lies at s3://models/support-bot",
        ]

    def test_ends_with_1_when_the_job_fails(self, kubectl: Kubectl, tmp_path: Path) -> None:
        kubectl.gets(training(), alone=True)
        kubectl.gets(failed(), alone=True)
        ended = ftj(tmp_path, "status", "support-bot", "--watch", PATH=kubectl.path)
        assert (ended.returncode, ended.stderr) == (1, "")
        last = ended.stdout.splitlines()[-1]
        assert last == "support-bot  Failed  DatasetRefused: secret, 3 of 1,400 rows: 密钥"

    def test_ends_with_1_when_the_job_is_deleted(self, kubectl: Kubectl, tmp_path: Path) -> None:
        kubectl.gets(training(), alone=True)
        kubectl.prints("")
        ended = ftj(tmp_path, "status", "support-bot", "--watch", PATH=kubectl.path)
        assert (ended.returncode, ended.stderr) == (1, "ftj: support-bot was deleted\n")
        assert ended.stdout.splitlines()[-1] == "support-bot  deleted"
        assert ["--ignore-not-found" in asked for asked in kubectl.asked()] == [False, True]

    def test_of_a_finished_job_ends_at_once(self, kubectl: Kubectl, tmp_path: Path) -> None:
        kubectl.gets(succeeded(), alone=True)
        ended = ftj(tmp_path, "status", "support-bot", "--watch", PATH=kubectl.path)
        assert ended.returncode == 0
        assert len(kubectl.asked()) == 1

    def test_goes_on_when_the_server_is_away_and_says_so_once(self, kubectl: Kubectl, tmp_path: Path) -> None:
        refused = "The connection to the server was refused\n"
        kubectl.gets(training(10), alone=True)
        kubectl.gets(error=refused, code=1)
        kubectl.gets(error=refused, code=1)
        kubectl.gets(training(20), alone=True)
        kubectl.gets(code=1)
        kubectl.gets(succeeded(), alone=True)
        ended = ftj(tmp_path, "status", "support-bot", "--watch", PATH=kubectl.path)
        assert ended.returncode == 0
        assert [line.split()[1] for line in ended.stdout.splitlines()] == ["Training", "Training", "Succeeded"]
        assert ended.stderr.splitlines() == [
            "ftj: kubectl: The connection to the server was refused",
            "ftj: kubectl ended with 1",
        ]


class Watching:
    """``ftj status --watch`` while it runs."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def end(self, number: signal.Signals) -> int:
        """By a signal; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=20)


@pytest.fixture
def watching(kubectl: Kubectl, tmp_path: Path) -> Iterator[Callable[..., Watching]]:
    started = []

    def start(*arguments: str) -> Watching:
        process = subprocess.Popen(
            [FTJ, "status", "--watch", *arguments],
            env=os.environ | {"HOME": str(tmp_path), "PATH": kubectl.path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return Watching(process)

    yield start
    for process in started:
        process.kill()
        process.communicate()


class TestWatchOfAll:
    def test_prints_a_line_for_each_change_until_ctrl_c(
        self, kubectl: Kubectl, watching: Callable[..., Watching]
    ) -> None:
        kubectl.gets(failed("a"), training(name="b"))
        kubectl.gets(failed("a"), training(350, name="b"))
        kubectl.gets(training(350, name="b"))
        kubectl.gets(training(350, name="b"), succeeded("c"))
        shown = watching("-A")
        starts = [shown.line().split("  ")[:4] for _ in range(5)]
        assert starts == [
            ["team-a/a", "Failed", "DatasetRefused: secret, 3 of 1,400 rows: 密钥"],
            ["team-a/b", "Training", "lora on A10", "340/1200"],
            ["team-a/b", "Training", "lora on A10", "350/1200"],
            ["team-a/a", "deleted"],
            ["team-a/c", "Succeeded", "1200 steps, loss 0.9; the model lies at s3://models/support-bot"],
        ]
        assert shown.end(signal.SIGINT) == 130

    def test_of_nothing_says_so_and_waits(self, kubectl: Kubectl, watching: Callable[..., Watching]) -> None:
        kubectl.gets()
        kubectl.gets(job())
        shown = watching()
        assert shown.line() == "no FineTuneJobs in this namespace"
        assert shown.line().startswith("support-bot  -")
        assert shown.end(signal.SIGTERM) == 143


def on_a_terminal(
    folder: Path, kubectl: Kubectl, *arguments: str, width: int, until: str = "", **environment: str
) -> tuple[int, str]:
    """Run it on a terminal of that width: the exit code, and all that was drawn.

    ``until``: press Ctrl-C once that is drawn.
    """
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    names = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"}
    process = subprocess.Popen(
        [FTJ, "status", *arguments],
        env={name: value for name, value in os.environ.items() if name not in names}
        | {"HOME": str(folder), "PATH": kubectl.path, "TERM": "xterm-256color"}
        | environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    drawn = b""
    try:
        while part := os.read(ours, 4096):
            drawn += part
            if until and until in drawn.decode(errors="replace"):
                process.send_signal(signal.SIGINT)
                until = ""
    except OSError:
        pass  # Linux: nobody has the other end open any more
    finally:
        os.close(ours)
    return process.wait(timeout=20), drawn.decode()


COLOUR = re.compile(r"\x1b\[[\d;]*\b(3\d|9\d)[\d;]*m")


class TestOnATerminal:
    def test_one_job_is_drawn_in_place_with_the_curve_of_its_loss(self, kubectl: Kubectl, tmp_path: Path) -> None:
        for seen in (training(10, 3.0), training(20, 2.0), training(30, 1.0), succeeded()):
            kubectl.gets(seen, alone=True)
        code, drawn = on_a_terminal(tmp_path, kubectl, "support-bot", "--watch", width=80)
        assert code == 0
        assert "\x1b[1A" in drawn  # up, to draw over what was there
        assert "1  1.301 on validation rows  █▅▁" in drawn
        assert drawn.endswith("\x1b[?25h")  # the cursor is back
        assert COLOUR.search(drawn)

    def test_a_table_has_the_curve_and_is_not_wider_than_the_terminal(self, kubectl: Kubectl, tmp_path: Path) -> None:
        kubectl.gets(training(10, 3.0))
        kubectl.gets(training(20, 1.0))
        code, drawn = on_a_terminal(tmp_path, kubectl, "--watch", width=80, until="█▁", NO_COLOR="1")
        assert code == 130
        plain = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", drawn)
        assert max(cell_len(line) for line in plain.replace("\r", "\n").splitlines()) <= 80
        assert not COLOUR.search(drawn)


def test_the_plugin_is_the_same_command_without_its_name(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl.gets(training(), alone=True)
    ended = subprocess.run(
        [sys.executable, "-c", "from finetune_cli.status import plugin; plugin()", "support-bot", "-n", "team-a"],
        env=os.environ | {"PATH": kubectl.path},
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "attempt 2 is training" in ended.stdout
    assert "--namespace=team-a" in kubectl.asked()[0]


class TestCurve:
    def losses(self, *values: float) -> Job:
        seen: Job | None = None
        for step, value in enumerate(values):
            seen = Job(Document(training(step, value))).seen_after(seen)
        assert seen is not None
        return seen

    def test_falls_as_the_loss_does(self) -> None:
        assert curve(self.losses(8, 7, 6, 5, 4, 3, 2, 1)) == "█▇▆▅▄▃▂▁"

    def test_of_one_value_or_of_the_same_says_nothing_false(self) -> None:
        assert curve(self.losses(3)) == ""
        assert curve(self.losses(3, 3, 3)) == "▁▁▁"

    def test_has_room_for_any_number_of_values(self) -> None:
        drawn = curve(self.losses(*range(1_000)))
        assert len(drawn) == CURVE_WIDTH
        assert (drawn[0], drawn[-1]) == ("▁", "█")
        assert list(drawn) == sorted(drawn)

    def test_forgets_steps_that_are_trained_again(self) -> None:
        again = Job(Document(training(1, 9.0))).seen_after(self.losses(4, 3, 2, 1))
        assert again.losses == ((0, 4), (1, 9.0))

    def test_is_not_that_of_a_job_that_had_the_name_before(self) -> None:
        recreated = training(1, 9.0)
        recreated["metadata"]["uid"] = "another"
        assert Job(Document(recreated)).seen_after(self.losses(4, 3, 2)).losses == ((1, 9.0),)
