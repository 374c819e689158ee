"""The prepare step, run as a process: what it answers, stores, finds again and refuses."""

import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from trainer_model import TRAIN_ROWS, VALIDATION_ROWS, make_tokenizer, write_rows
from trainer_steps import Bench, Ended, assert_fails_clearly, folder_of, prepare_config, tree

from finetune_core.api import FineTuneJob
from finetune_core.api.findings import FINDING_CODES
from finetune_core.contract import (
    LENGTH_EDGES,
    DataStatistics,
    FindingCount,
    LengthPercentiles,
    Manifest,
    ModelShape,
    Place,
    PrepareReport,
)
from finetune_core.contract.environment import TERMINATION_BYTES
from finetune_trainer.rows import read_tokens
from finetune_trainer.template import ChatEncoder
from servers import http_server, make_certificate

GOOD = TRAIN_ROWS[:30]
BAD_LINES = [
    json.dumps(GOOD[0], ensure_ascii=False),  # a duplicate
    json.dumps({"instruction": "Anything to say?", "output": "  "}),
    "{not json",
]


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """30 good rows and one each of a duplicate, an empty answer and broken JSON."""
    path = write_rows(tmp_path / "messy.jsonl", GOOD)
    path.write_text(path.read_text(encoding="utf-8") + "\n".join(BAD_LINES) + "\n", encoding="utf-8")
    return path


def prepared_folder(job: FineTuneJob) -> Path:
    return folder_of(prepare_config(job).prepared.uri)


def texts_of(path: Path) -> list[str]:
    """The rows of an Arrow file as the model sees them."""
    tokenizer = make_tokenizer()
    return [tokenizer.decode(tokens.input_ids) for tokens in read_tokens(path)]


def render(row: dict[str, str]) -> str:
    messages = [{"role": "user", "content": row["instruction"]}, {"role": "assistant", "content": row["output"]}]
    return ChatEncoder(make_tokenizer()).render(messages)


def report_of(ended: Ended) -> PrepareReport:
    return PrepareReport.model_validate_json(ended.good_answer)


def did_the_work(ended: Ended) -> bool:
    return "checking and tokenizing" in ended.stdout


def test_the_answer_counts_the_rows_and_the_findings(bench: Bench, messy: Path, tmp_path: Path) -> None:
    job = bench.job(tmp_path / "output", data=messy, validation=0.2)
    report = report_of(bench.prepare(job))
    assert (report.rows, report.used_rows, report.rejected_rows) == (33, 30, 3)
    counts = {found.code: (found.policy, found.count) for found in report.findings}
    # "What colour is the red lamp?" "The lamp is red.": nothing that the question does not say.
    assert counts.pop("echo")[0] == "warn"
    assert counts == {
        "unreadable-row": ("drop", 1),
        "empty-output": ("drop", 1),
        "exact-duplicate": ("drop", 1),
        "too-few-samples": ("warn", 1),
    }
    stored = json.loads((prepared_folder(job) / "dataset-report.json").read_text(encoding="utf-8"))
    rows = {found["code"]: found["rows"] for found in stored["findings"]}
    assert (rows["exact-duplicate"], rows["empty-output"], rows["unreadable-row"]) == ([31], [32], [33])


def test_the_statistics_are_those_of_the_training_rows(bench: Bench, messy: Path, tmp_path: Path) -> None:
    job = bench.job(tmp_path / "output", data=messy, validation=0.2)
    statistics = report_of(bench.prepare(job)).statistics
    rows = list(read_tokens(prepared_folder(job) / "train.arrow"))
    assert statistics.exact
    assert (statistics.rows, statistics.validation_rows) == (24, 6)
    assert statistics.tokens == sum(tokens.length for tokens in rows)
    assert statistics.supervised_tokens == sum(tokens.supervised for tokens in rows)
    assert statistics.lengths.max == max(tokens.length for tokens in rows)
    assert statistics.supervised_max == max(tokens.supervised for tokens in rows)
    assert sum(statistics.histogram) == 24


def test_the_split_leaves_no_row_out_and_none_in_both(bench: Bench, messy: Path, tmp_path: Path) -> None:
    job = bench.job(tmp_path / "output", data=messy, validation=0.2)
    report_of(bench.prepare(job))
    train, validation = (texts_of(prepared_folder(job) / name) for name in ("train.arrow", "validation.arrow"))
    assert (len(train), len(validation)) == (24, 6)
    assert sorted(train + validation) == sorted(map(render, GOOD))
    prompts = json.loads((prepared_folder(job) / "sample-prompts.json").read_text(encoding="utf-8"))
    assert len(prompts) == 6
    asked = [render({"instruction": p["messages"][0]["content"], "output": p["reference"]}) for p in prompts]
    assert sorted(asked) == sorted(validation)


def test_the_report_shows_rows_exactly_as_they_are_trained_on(bench: Bench, tmp_path: Path) -> None:
    private = {"instruction": "Who is it?", "output": "Write to jane.roe@mail-of-hers.com, she knows all about it."}
    long = {"instruction": "Say it a thousand times.", "output": "一二三四五六七八九十" * 200}
    job = bench.job(tmp_path / "output", data=write_rows(tmp_path / "rows.jsonl", [private, long]), validation=0.0)
    report_of(bench.prepare(job))
    stored = json.loads((prepared_folder(job) / "dataset-report.json").read_text(encoding="utf-8"))
    [shown] = stored["examples"]
    [tokens] = list(read_tokens(prepared_folder(job) / "train.arrow"))[1:]
    assert (shown["row"], shown["tokens"], shown["supervisedTokens"]) == (2, tokens.length, tokens.supervised)
    text = render(long)
    asked, answer, rest = shown["pieces"]
    assert [piece["supervised"] for piece in shown["pieces"]] == [False, True, False]
    assert text.startswith(asked["text"] + "一二三四")
    assert answer["text"].startswith("一二三四五")
    assert " … " in answer["text"]
    assert text.endswith(answer["text"][-100:] + rest["text"])


def test_labels_are_counted_and_each_has_its_share_of_the_validation_rows(bench: Bench, tmp_path: Path) -> None:
    labels = ["退款"] * 80 + ["物流"] * 20
    rows = [{"instruction": f"第{n * 7919}号工单：{n * n}", "output": label} for n, label in enumerate(labels)]
    job = bench.job(tmp_path / "output", data=write_rows(tmp_path / "rows.jsonl", rows), validation=0.1)
    report_of(bench.prepare(job))
    stored = json.loads((prepared_folder(job) / "dataset-report.json").read_text(encoding="utf-8"))
    assert stored["labels"] == [{"label": "退款", "rows": 72}, {"label": "物流", "rows": 18}]


def test_no_validation_is_possible(bench: Bench, tmp_path: Path) -> None:
    job = bench.job(tmp_path / "output", validation=0.0)
    statistics = report_of(bench.prepare(job)).statistics
    assert (statistics.rows, statistics.validation_rows) == (len(TRAIN_ROWS), 0)
    assert json.loads((prepared_folder(job) / "sample-prompts.json").read_text(encoding="utf-8")) == []


def test_a_row_of_the_validation_set_is_dropped_from_training(bench: Bench, tmp_path: Path) -> None:
    leaked = VALIDATION_ROWS[3]
    data = write_rows(tmp_path / "data.jsonl", [*GOOD, leaked])
    job = bench.job(tmp_path / "output", data=data)
    report = report_of(bench.prepare(job))
    assert {found.code: found.count for found in report.findings}["validation-leak"] == 1
    assert (report.rows, report.used_rows, report.rejected_rows) == (31, 30, 1)
    assert (report.statistics.rows, report.statistics.validation_rows) == (30, 8)
    assert render(leaked) not in texts_of(prepared_folder(job) / "train.arrow")
    assert texts_of(prepared_folder(job) / "validation.arrow") == [render(row) for row in VALIDATION_ROWS]


def test_train_on_prompt_supervises_every_token_but_the_first(bench: Bench, tmp_path: Path) -> None:
    job = bench.job(tmp_path / "output", hyperparameters={"trainOnPrompt": True})
    statistics = report_of(bench.prepare(job)).statistics
    assert statistics.supervised_tokens == statistics.tokens - statistics.rows


def test_a_second_run_gives_the_same_answer_without_doing_the_work_again(bench: Bench, tmp_path: Path) -> None:
    job = bench.job(tmp_path / "output")
    first = bench.prepare(job)
    assert did_the_work(first)
    before = tree(tmp_path / "output")
    second = bench.prepare(job)
    assert second.good_answer == first.good_answer
    assert not did_the_work(second)
    assert tree(tmp_path / "output") == before


def test_changed_data_is_prepared_anew(bench: Bench, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data.jsonl", GOOD)
    job = bench.job(tmp_path / "output", data=data)
    first = report_of(bench.prepare(job))
    write_rows(data, GOOD[:-1])
    again = bench.prepare(job)
    assert did_the_work(again)
    assert report_of(again).fingerprint != first.fingerprint
    assert report_of(again).used_rows == 29
    assert len(texts_of(prepared_folder(job) / "train.arrow")) == 29


def test_a_changed_chat_template_is_prepared_anew(bench: Bench, tmp_path: Path) -> None:
    model = bench.model_copy(tmp_path / "model")
    job = bench.job(tmp_path / "output", model=model)
    bench.prepare(job)
    template = model / "chat_template.jinja"
    template.write_text(template.read_text(encoding="utf-8").replace("<|im_end|>", "<|endoftext|>"), encoding="utf-8")
    again = bench.prepare(job)
    assert did_the_work(again)
    assert all("<|im_end|>" not in text for text in texts_of(prepared_folder(job) / "train.arrow"))


@pytest.mark.parametrize("damage", ["", "{}", "not json"])
def test_a_damaged_answer_is_made_again(bench: Bench, tmp_path: Path, damage: str) -> None:
    job = bench.job(tmp_path / "output")
    first = bench.prepare(job)
    (prepared_folder(job) / "prepare-report.json").write_text(damage)
    again = bench.prepare(job)
    assert did_the_work(again)
    assert again.good_answer == first.good_answer


def test_a_folder_is_one_set_whose_rows_are_numbered_through(bench: Bench, messy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    write_rows(folder / "a.jsonl", TRAIN_ROWS[30:])
    messy.rename(folder / "b.jsonl")
    (folder / "README.md").write_text("no data")
    job = bench.job(tmp_path / "output", data=folder, validation=0.0)
    ended = bench.prepare(job)
    report = report_of(ended)
    assert f"fetched 2 files of {folder}" in ended.stdout
    assert (report.rows, report.used_rows, report.rejected_rows) == (35, 32, 3)
    stored = json.loads((prepared_folder(job) / "dataset-report.json").read_text(encoding="utf-8"))
    assert {found["code"]: found["rows"] for found in stored["findings"]}["unreadable-row"] == [35]
    (folder / "a.jsonl").write_bytes((folder / "a.jsonl").read_bytes() + b"\n")
    again = bench.prepare(job)
    assert did_the_work(again), "another content is another set"


def test_data_from_the_web_leaves_no_trace_of_its_signature(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.startswith("/rows.jsonl?")
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(bench.data.read_bytes() if found else b"")

        def log_message(self, *_: object) -> None: ...

    try:
        certificate, key = make_certificate(tmp_path)
    except FileNotFoundError:
        pytest.skip("there is no openssl here to make a certificate with")
    secret = tmp_path / "finetune-operator" / "secrets" / "authority"
    secret.mkdir(parents=True)
    certificate.rename(secret / "ca.crt")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("FINETUNE_INTERNAL_HOSTS", "127.0.0.1")
    with http_server(Site, certificate=secret / "ca.crt", key=key) as url:

        def prepared(path: str) -> Ended:
            data = {
                "uri": f"{url}/{path}?X-Amz-Signature=0123-secret",
                "sha256": hashlib.sha256(bench.data.read_bytes()).hexdigest(),
                "secretName": "authority",
            }
            return bench.prepare(bench.job(tmp_path / path, dataset=data), fresh=True)

        good, bad = prepared("rows.jsonl"), prepared("missing.jsonl")
    assert report_of(good).used_rows == len(TRAIN_ROWS)
    assert f"fetched {url}/rows.jsonl" in good.stdout
    assert_fails_clearly(bad, "DatasetUnavailable", f"nothing lies at {url}/missing.jsonl (404): check the address")
    for ended in (good, bad):
        assert "0123-secret" not in ended.stdout + ended.stderr + ended.answer
    stored = [path.read_bytes() for path in tmp_path.joinpath("rows.jsonl").rglob("*") if path.is_file()]
    assert len(stored) > 3
    assert not any(b"0123-secret" in content for content in stored)


def test_the_sha256_of_a_validation_set_is_its_own(bench: Bench, tmp_path: Path) -> None:
    held_out = {"uri": bench.validation.as_uri(), "sha256": hashlib.sha256(bench.validation.read_bytes()).hexdigest()}
    assert report_of(bench.prepare(bench.job(tmp_path / "good", dataset={"validation": held_out})))
    bad = bench.job(tmp_path / "bad", dataset={"validation": held_out | {"sha256": "0" * 64}})
    assert_fails_clearly(bench.prepare(bad), "DatasetUnavailable", f"{bench.validation}: its SHA-256 is")


def test_the_sha256_of_the_job_must_be_that_of_the_data(bench: Bench, tmp_path: Path) -> None:
    actual = hashlib.sha256(bench.data.read_bytes()).hexdigest()
    good = bench.job(tmp_path / "good", dataset={"sha256": actual})
    assert report_of(bench.prepare(good)).used_rows == len(TRAIN_ROWS)
    bad = bench.job(tmp_path / "bad", dataset={"sha256": "0" * 64})
    assert_fails_clearly(bench.prepare(bad), "DatasetUnavailable", actual, "0" * 64)
    assert not (tmp_path / "bad").exists()


def test_refused_data_leaves_its_report_and_nothing_to_train_on(bench: Bench, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data.jsonl", [*GOOD, GOOD[0]])
    job = bench.job(tmp_path / "output", data=data, dataset={"quality": {"exact-duplicate": "enforce"}})
    assert_fails_clearly(bench.prepare(job), "DatasetRefused", "exact-duplicate", "row 31")
    assert list(tree(prepared_folder(job))) == ["dataset-report.json"]
    stored = json.loads((prepared_folder(job) / "dataset-report.json").read_text(encoding="utf-8"))
    assert stored["refused"]
    assert [found["rows"] for found in stored["findings"] if found["policy"] == "enforce"] == [[31]]


def test_rows_that_the_template_does_not_accept_are_named(bench: Bench, tmp_path: Path) -> None:
    model = bench.model_copy(tmp_path / "model")
    template = model / "chat_template.jinja"
    refusal = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    template.write_text(refusal + template.read_text(encoding="utf-8"), encoding="utf-8")
    data = write_rows(tmp_path / "data.jsonl", [*GOOD, GOOD[0] | {"system": "Be brief."}])
    job = bench.job(tmp_path / "output", model=model, data=data)
    report = report_of(bench.prepare(job))
    assert {found.code: found.count for found in report.findings}["wrong-schema"] == 1
    stored = (prepared_folder(job) / "dataset-report.json").read_text(encoding="utf-8")
    assert "no system role" in stored


def test_a_model_that_is_not_there_is_named(bench: Bench, tmp_path: Path) -> None:
    ended = bench.prepare(bench.job(tmp_path / "output", model=tmp_path / "no-model"))
    assert_fails_clearly(ended, "ModelUnavailable", "no-model")


def test_a_dataset_that_is_not_there_is_named(bench: Bench, tmp_path: Path) -> None:
    ended = bench.prepare(bench.job(tmp_path / "output", data=tmp_path / "no-data.jsonl"))
    assert_fails_clearly(ended, "DatasetUnavailable", "no-data.jsonl")


def test_a_validation_set_that_is_not_there_is_named(bench: Bench, tmp_path: Path) -> None:
    ended = bench.prepare(bench.job(tmp_path / "output", validation=tmp_path / "no-validation.jsonl"))
    assert_fails_clearly(ended, "DatasetUnavailable", "no-validation.jsonl")


def test_a_folder_without_data_is_no_dataset(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    ended = bench.prepare(bench.job(tmp_path / "output", data=tmp_path / "folder"))
    assert_fails_clearly(ended, "DatasetUnavailable", f"{tmp_path / 'folder'} holds no data: put a file there")


def test_a_validation_set_must_be_a_file(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    ended = bench.prepare(bench.job(tmp_path / "output", validation=tmp_path / "folder"))
    assert_fails_clearly(ended, "DatasetUnavailable", "folder")


def test_a_model_without_tokenizer_is_named(bench: Bench, tmp_path: Path) -> None:
    model = bench.model_copy(tmp_path / "bare-model", "token*", "special*", "*.jinja")
    assert_fails_clearly(bench.prepare(bench.job(tmp_path / "output", model=model)), "ModelUnavailable", "tokenizer")


def test_a_damaged_tokenizer_is_named(bench: Bench, tmp_path: Path) -> None:
    model = bench.model_copy(tmp_path / "model")
    (model / "tokenizer.json").write_text('{"version": "1.0", "model": 7}')
    assert_fails_clearly(bench.prepare(bench.job(tmp_path / "output", model=model)), "ModelUnavailable", "tokenizer")


def test_an_unknown_model_type_is_named_with_those_known(bench: Bench, tmp_path: Path) -> None:
    model = bench.model_copy(tmp_path / "model", config={"model_type": "mamba9"})
    ended = bench.prepare(bench.job(tmp_path / "output", model=model))
    assert_fails_clearly(ended, "InvalidSpec", "mamba9", "llama")


@pytest.mark.parametrize(("config", "words"), [("{", "cannot be read"), ("[]", "not an object")])
def test_a_damaged_model_config_is_named(bench: Bench, tmp_path: Path, config: str, words: str) -> None:
    model = bench.model_copy(tmp_path / "model", config=config)
    ended = bench.prepare(bench.job(tmp_path / "output", model=model))
    assert_fails_clearly(ended, "ModelUnavailable", "config.json", words)


def occupy(output: Path, job_uid: str) -> dict[str, str]:
    """A finished model of that job; what lies there then."""
    output.mkdir()
    (output / "manifest.json").write_text(Manifest(job_name="other", job_uid=job_uid, files=[]).to_json())
    return tree(output)


def test_another_jobs_output_is_refused_before_anything_is_fetched(bench: Bench, tmp_path: Path) -> None:
    before = occupy(tmp_path / "output", "5b0f3f0a")
    ended = bench.prepare(bench.job(tmp_path / "output", model=tmp_path / "no-model"))
    assert_fails_clearly(ended, "OutputOccupied", "'other'", "'bench'", "set output.overwrite: true")
    assert ended.stdout == ""
    assert tree(tmp_path / "output") == before


@pytest.mark.parametrize("whose", ["another's", "its own"])
def test_an_output_that_may_be_taken_is_prepared_for_and_left_as_it_is(
    bench: Bench, tmp_path: Path, whose: str
) -> None:
    job = bench.job(tmp_path / "output", overwrite=whose == "another's")
    before = occupy(tmp_path / "output", "5b0f3f0a" if job.spec.output.overwrite else prepare_config(job).job_uid)
    assert report_of(bench.prepare(job)).used_rows == len(TRAIN_ROWS)
    assert tree(tmp_path / "output").items() > before.items()


def test_a_secret_without_a_known_key_is_named_whoever_needs_it(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "TOKEN").write_text("hidden")
    config = prepare_config(bench.job(tmp_path / "output"))
    for role in ("model", "dataset", "output"):
        place = Place(uri="s3://bucket/key", credentials=str(tmp_path / "secret"))
        ended = bench.start(config.model_copy(update={role: place})).end()
        assert_fails_clearly(ended, "SecretMissing", str(tmp_path / "secret"), "HF_TOKEN, AWS_ACCESS_KEY_ID")


def test_an_output_that_cannot_be_written_is_named(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ended = bench.prepare(bench.job(tmp_path / "file" / "output"))
    assert_fails_clearly(ended, "UploadFailed", "file/output")


def test_a_config_that_is_none_is_named(bench: Bench, tmp_path: Path) -> None:
    config = prepare_config(bench.job(tmp_path / "output")).to_json()
    for broken in ("", "{}", re.sub(r'"version":1', '"version":99', config)):
        assert_fails_clearly(bench.start_with(broken, "prepare").end(), "InvalidSpec", "FINETUNE_CONFIG")


def test_a_failure_fits_the_termination_message_however_long_its_cause(bench: Bench, tmp_path: Path) -> None:
    config = prepare_config(bench.job(tmp_path / "output"))
    long = config.model.model_copy(update={"uri": "file:///" + "模型/" * 3000})
    ended = bench.start(config.model_copy(update={"model": long})).end()
    assert_fails_clearly(ended, "ModelUnavailable")
    assert ended.failure.message.startswith("/模型/模型/")
    assert len(ended.answer.encode()) > TERMINATION_BYTES / 2  # no more is cut than makes sense


def test_the_largest_answer_fits_the_termination_message() -> None:
    most = 2**53
    answer = PrepareReport(
        fingerprint="f" * 64,
        model_revision="f" * 40,
        model_shape=ModelShape(
            model_type="gemma3_text", hidden_size=2**17, intermediate_size=2**20, num_layers=2**10, num_heads=2**10,
            num_kv_heads=2**10, head_dim=2**12, vocab_size=2**22, max_position_embeddings=2**26, tied_embeddings=False,
        ),
        statistics=DataStatistics(
            rows=most, validation_rows=most, tokens=most, supervised_tokens=most, supervised_max=most,
            lengths=LengthPercentiles(p50=most, p95=most, p99=most, max=most),
            histogram=[most] * (len(LENGTH_EDGES) + 1),
        ),
        rows=most, used_rows=most, rejected_rows=most, storage_bytes_per_second=most,
        findings=[
            FindingCount(code=code, severity="warning", policy="enforce", count=most) for code in FINDING_CODES
        ],
    )  # fmt: skip
    assert len(answer.to_json().encode()) <= TERMINATION_BYTES


def test_preparing_needs_no_weights(bench: Bench, tmp_path: Path) -> None:
    model = bench.model_copy(tmp_path / "model", "*.safetensors")
    assert report_of(bench.prepare(bench.job(tmp_path / "output", model=model))).used_rows == len(TRAIN_ROWS)
