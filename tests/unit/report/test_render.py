"""``report.html``: one file that needs no network, and takes what people wrote for text."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from jobs import data_of, plan_of

from finetune_core.api import Plan
from finetune_core.contract import LENGTH_EDGES, RunReport
from finetune_core.report import render_report

EVIL = "<script>alert('x')</script><img src=https://evil.example/x onerror=alert(1)>"

RUN = RunReport(
    job_name="support-bot", job_uid="5b0f3f0a", steps=189, train_loss=0.4321, eval_loss_before=2.5, eval_loss=0.75,
    supervised_tokens=1_234_567, seconds=61.4, peak_memory_bytes=20 * 2**30, versions={"torch": "2.9.0"},
)  # fmt: skip
METRICS: list[dict[str, Any]] = [
    {"step": step, "loss": 2.0 / step, "eval_loss": 2.2 / step, "learning_rate": 1e-5, "grad_norm": 1.5}
    for step in range(1, 20)
]
DATASET: dict[str, Any] = {
    "rows": 1_000,
    "usedRows": 990,
    "statistics": {
        "rows": 890, "validationRows": 100, "tokens": 45_678, "supervisedTokens": 22_839,
        "histogram": [0, 5, 10] + [0] * (len(LENGTH_EDGES) - 3) + [1],
    },
    "labels": [{"label": "退款", "rows": 712}, {"label": "shipping", "rows": 178}],
    "examples": [
        {
            "row": 7, "tokens": 1_012, "supervisedTokens": 9,
            "pieces": [
                {"text": "<|im_start|>user\n在吗?<|im_end|>\n<|im_start|>assistant\n", "supervised": False},
                {"text": "在的。<|im_end|>", "supervised": True},
                {"text": "\n", "supervised": False},
            ],
        }
    ],
    "findings": [{"code": "empty-output", "message": "no answer", "policy": "drop", "count": 10, "fix": "write one"}],
}  # fmt: skip
SAMPLES: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": "你好?"}], "before": "嗯", "after": "您好!", "reference": "您好。"}
]


def page(
    *,
    title: str = "support-bot",
    plan: Plan | None = None,
    run: RunReport = RUN,
    metrics: list[dict[str, Any]] = METRICS,
    dataset: dict[str, Any] = DATASET,
    samples: list[dict[str, Any]] = SAMPLES,
) -> str:
    return render_report(
        title=title, plan=plan or plan_of(), run=run, metrics=metrics, dataset=dataset, samples=samples
    )


class _Reader(HTMLParser):
    """Tags with their attributes, and the text that a person sees."""

    VOID = {"meta", "br", "img", "link", "input", "hr"}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += f" {data}"


def read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def text_of(html: str) -> str:
    return " ".join(read(html).text.split())


def test_answers_that_are_not_trained_on_are_told() -> None:
    assert "answers not trained on 1,234 the chat template" in text_of(
        page(dataset=DATASET | {"unlocatedAnswers": 1_234})
    )
    assert "answers not trained on" not in text_of(page(dataset=DATASET | {"unlocatedAnswers": 0}))


@pytest.mark.parametrize(
    "html",
    [page(), page(plan=plan_of("gpu.type=A100-80GB")), page(title=EVIL, samples=[], metrics=[])],
    ids=["lora", "full", "hostile"],
)
def test_it_is_one_page_that_fetches_nothing(html: str) -> None:
    assert html.startswith("<!doctype html>")
    reader = read(html)
    names = {tag for tag, _ in reader.tags}
    assert names.isdisjoint({"script", "link", "iframe", "img", "object", "embed", "base"})
    for _, attributes in reader.tags:
        assert {"src", "href", "xlink:href", "srcset", "action"}.isdisjoint(attributes)
        assert not [name for name in attributes if name.startswith("on")]
        for name, value in attributes.items():
            assert name.startswith("xmlns") or "://" not in (value or "")
    styles = re.findall(r"<style.*?</style>", html, flags=re.DOTALL)
    assert styles
    assert not [style for style in styles if "url(" in style or "@import" in style]


def test_it_says_what_came_of_the_run() -> None:
    text = text_of(page())
    for said in (
        "support-bot", "lora on A10 · 189 steps · 61 s", "validation loss before 2.5", "validation loss after 0.75",
        "training loss 0.4321", "supervised tokens 1,234,567", "20.0 GiB",
        "rows read 1,000 used 990 to train on, to validate 890, 100", "supervised 50 % 22,839 of 45,678",
        "empty-output no answer drop 10 write one", "torch 2.9.0",
    ):  # fmt: skip
        assert said in text, said


def test_it_shows_every_setting_with_its_reason() -> None:
    plan = plan_of()
    text = text_of(page(plan=plan))
    for reason in plan.reasons:
        assert f"{reason.field} {reason.value} {reason.because}" in text


def test_it_shows_the_parts_of_the_memory() -> None:
    plan = plan_of("gpu.type=A100-80GB")
    text = text_of(page(plan=plan))
    assert "Predicted peak 73.4 GiB of 75.2 GiB that a plan may use on A100-80GB" in text
    assert "optimizer states 42.6 GiB" in text
    assert "adapters" not in text.split("Predicted peak")[1].split("setting value because")[0]


def test_it_shows_answers_before_and_after() -> None:
    text = text_of(page())
    assert "你好? before 嗯 after 您好! as the dataset has it 您好。" in text


@pytest.mark.parametrize("sample", [{}, {"reference": None}], ids=["absent", "null"])
def test_a_prompt_of_ones_own_has_no_reference(sample: dict[str, Any]) -> None:
    own = {"messages": [{"role": "user", "content": "q"}], "before": "b", "after": "a", **sample}
    text = text_of(page(samples=[own]))
    assert "q before b after a" in text
    assert "as the dataset has it" not in text


def test_it_shows_the_lengths_of_the_rows() -> None:
    text = text_of(page())
    assert "tokens rows 17-32 5 33-64 10 65-128 0" in text
    assert "> 32,768 1 longer than the cutoff of 512 tokens" in text


def test_it_marks_what_the_loss_is_on() -> None:
    html = page()
    assert re.findall("<mark>(.*?)</mark>", html, re.DOTALL)[1:] == ["在的。&lt;|im_end|&gt;"]
    assert "row 7 · 1,012 tokens, 9 of them supervised <|im_start|>user 在吗?<|im_end|> <|im_start|>" in text_of(html)


def test_it_shows_how_often_each_label_is_there() -> None:
    assert "answer rows 退款 712 shipping 178" in text_of(page())
    many = [{"label": f"L{n}", "rows": 100 - n} for n in range(25)]
    assert "L19 81 and 5 more" in text_of(page(dataset=DATASET | {"labels": many}))


def test_it_draws_a_curve_of_what_was_measured() -> None:
    assert page().count("<svg") == 3
    assert page(metrics=[{"step": 1, "loss": 1.0}]).count("<svg") == 1
    assert "Gradient norm" not in text_of(page(metrics=[{"step": 1, "loss": 1.0}]))


def test_the_curve_of_a_long_run_has_means_and_says_so() -> None:
    """31,250 lines in the order of 63 equal ones each: their means are the line itself."""
    lines = [{"step": step, "loss": 2.0 if step % 2 else 1.0} for step in range(1, 31_251)]
    drawn = page(metrics=lines)
    assert len(re.findall(r'class="dot ', drawn)) == 497
    assert "a point is the mean of 63 lines" in text_of(drawn)
    values = {float(value) for value in re.findall(r'<desc class="value">[^<]*?: ([0-9.]+)<', drawn)}
    assert values
    assert all(1.4 < value < 1.6 for value in values)
    assert "a point is the mean of" not in text_of(page())


def test_numbers_that_are_not_finite_are_left_out_of_the_curves() -> None:
    bad = [{"step": 1, "loss": 1.0}, {"step": 2, "loss": "NaN"}, {"step": 3, "loss": "Infinity"}]
    assert page(metrics=bad).count("<svg") == 1
    assert page(metrics=bad[1:]).count("<svg") == 0


@pytest.mark.parametrize(
    "html",
    [
        page(title=EVIL),
        page(
            samples=[
                {"messages": [{"role": "user", "content": EVIL}], "before": EVIL, "after": EVIL, "reference": EVIL}
            ]
        ),
        page(
            dataset=DATASET
            | {"labels": [{"label": EVIL, "rows": 1}]}
            | {"examples": [DATASET["examples"][0] | {"pieces": [{"text": EVIL, "supervised": True}]}]}
        ),
        page(
            dataset=DATASET | {"findings": [dict.fromkeys(("code", "message", "policy", "fix"), EVIL) | {"count": 1}]}
        ),
        page(run=RUN.model_copy(update={"versions": {EVIL: EVIL}})),
        page(plan=plan_of().model_copy(update={"gpu": plan_of().gpu.model_copy(update={"type": EVIL})})),
    ],
    ids=["title", "sample", "data", "finding", "version", "gpu"],
)
def test_what_people_wrote_is_text_and_no_markup(html: str) -> None:
    reader = read(html)
    assert {"script", "img"}.isdisjoint(tag for tag, _ in reader.tags)
    assert EVIL in reader.text


def test_a_run_with_little_to_tell_has_a_page_too() -> None:
    run = RUN.model_copy(
        update={"eval_loss": None, "eval_loss_before": None, "peak_memory_bytes": None, "versions": {}}
    )
    text = text_of(page(run=run, metrics=[], dataset={"rows": 3, "usedRows": 2}, samples=[]))
    assert "rows read 3 used 2 To reproduce" in text
    assert "Answers before and after" not in text
    assert "validation loss" not in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stopped_early": True}, "61 s · stopped early"),
        ({"resumed_from_step": 100}, "61 s · resumed from step 100"),
        ({"best_step": 150}, "The model is that of step 150, where the validation loss was lowest."),
        ({"eval_loss_before": None}, "validation loss before –"),
    ],
)
def test_what_was_unusual_is_said(change: dict[str, Any], said: str) -> None:
    assert said in text_of(page(run=RUN.model_copy(update=change)))
    assert said not in text_of(page())


def test_a_real_datasets_statistics_have_a_place() -> None:
    statistics = data_of().model_dump(mode="json", by_alias=True)
    assert "to train on, to validate 1,000, 0" in text_of(page(dataset=DATASET | {"statistics": statistics}))
