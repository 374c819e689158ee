"""The prepare step: fetch, check, split, tokenize. Needs no GPU and no weights, but downloads them where they stay.

What it stores, in ``.work/<uid>/prepared`` of the output place: the tokens of every row, not truncated, with their loss
masks; the dataset report; a few prompts for samples; and last its own answer, so that a second run finds it.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Set
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from finetune_core.api.job import ValidationFraction
from finetune_core.contract import DATASET_REPORT, Place, PrepareConfig, PrepareReport
from finetune_core.data import (
    DatasetReport,
    Kept,
    RawRow,
    Rules,
    available_processes,
    examine,
    summarize,
)
from finetune_core.errors import DatasetRefused, DatasetUnavailable, ModelUnavailable, NotFound, UploadFailed, blamed_on
from finetune_core.planning import shape_from_config
from finetune_storage import Data, Folder, fetch, fetch_dataset, is_shared, open_folder, revision_of, sha256_of
from finetune_storage.output import refuse_occupied
from finetune_trainer.kept_rows import KeptRows
from finetune_trainer.rows import read_counts, split_file
from finetune_trainer.sources import described, rows_of
from finetune_trainer.stage import say, say_fetched
from finetune_trainer.store_speed import bytes_per_second, upload_all
from finetune_trainer.template import ChatEncoder, load_tokenizer

TRAIN_ROWS = "train.arrow"
VALIDATION_ROWS = "validation.arrow"
SAMPLE_PROMPTS = "sample-prompts.json"
ANSWER = "prepare-report.json"

CODE_VERSION = 4
"""Raised when the same data would be prepared differently: what older code stored is then made again."""


def prepare(config: PrepareConfig, scratch: Path) -> PrepareReport:
    """Prepare a dataset for a model, or find it prepared.

    Raises:
        OutputOccupied: another job's model lies in the output place; said now, before a card is held for nothing.
        DatasetUnavailable, ModelUnavailable: what could not be read.
        DatasetRefused: an enforced check failed; the dataset report is stored all the same.
        UploadFailed: the tokens could not be stored.
    """
    with blamed_on(UploadFailed):
        refuse_occupied(open_folder(config.output), config.job_name, config.job_uid, config.overwrite)
        folder = open_folder(config.prepared)
    say("fetching the tokenizer")
    with blamed_on(ModelUnavailable):
        model = fetch(config.model, scratch / "model", weights=False)
    shape = shape_from_config(_read_config(model, config.model.uri), config.model.uri)
    say("fetching the dataset")
    with blamed_on(DatasetUnavailable):
        data = fetch_dataset(config.dataset, scratch / "dataset", "train", config.dataset_options.sha256)
        held_out = _fetch_validation(config, scratch / "validation")
    say(f"fetched {described(data)}")
    fingerprint = _fingerprint(config, data, held_out, model)
    with blamed_on(UploadFailed):
        answer = _stored_answer(folder, fingerprint)
    if answer is not None:
        say("found it prepared")
        _fill_cache(config.model.at(answer.model_revision), scratch)
        return answer

    say("checking and tokenizing the dataset")
    encoder = ChatEncoder(load_tokenizer(model), config.train_on_prompt)
    local = scratch / "prepared"
    local.mkdir()
    report = _write_rows(config, encoder, data, held_out, local)
    (local / DATASET_REPORT).write_text(report.to_json(indent=2), encoding="utf-8")
    with blamed_on(UploadFailed):
        folder.upload(local / DATASET_REPORT, DATASET_REPORT)
    report.raise_if_refused()
    if report.statistics.supervised_tokens == 0:
        raise DatasetRefused("no row has a supervised token: the model's chat template marks nothing as the answer")
    answer = PrepareReport(
        fingerprint=fingerprint,
        model_shape=shape,
        model_revision=revision_of(config.model, model),
        statistics=report.statistics,
        rows=report.rows,
        used_rows=report.used_rows,
        rejected_rows=report.rejected_rows,
        findings=report.finding_counts(),
    )
    _fill_cache(config.model.at(answer.model_revision), scratch)
    say("storing the tokens")
    with blamed_on(UploadFailed):
        uploaded = upload_all(folder, [local / name for name in (TRAIN_ROWS, VALIDATION_ROWS, SAMPLE_PROMPTS)])
        if config.measure_storage:
            speed = bytes_per_second(folder, uploaded, scratch)
            answer = answer.model_copy(update={"storage_bytes_per_second": speed})
        folder.write(ANSWER, answer.to_json(indent=2).encode())
    return answer


def _fill_cache(model: Place, scratch: Path) -> None:
    """Download the weights where they stay for the training, which then holds no card while it waits for them."""
    if is_shared(model):
        say("fetching the model")
        with blamed_on(ModelUnavailable):
            fetch(model, scratch / "model", tell=say_fetched)


def _fetch_validation(config: PrepareConfig, into: Path) -> Data | None:
    asked = config.dataset_options.validation
    if config.validation is None or isinstance(asked, ValidationFraction):
        return None
    return fetch_dataset(config.validation, into, "validation", asked.sha256)


def _write_rows(
    config: PrepareConfig, encoder: ChatEncoder, data: Data, held_out: Data | None, local: Path
) -> DatasetReport:
    """Both sets' tokens and the sample prompts into ``local``; the report is about the training data."""
    rules = Rules.of(config.dataset_options)

    if held_out is not None:
        with KeptRows(local, "validation", of_validation_set=True) as validation:
            _examine(rows_of(held_out), rules.for_validation(), encoder, validation.keep).raise_if_refused()
        with KeptRows(local, "train") as training:
            report = _examine(rows_of(data), rules, encoder, training.keep, validation.exchanges)
        chosen = frozenset(range(len(validation.rows)))
        trained = range(len(training.rows))
    else:
        assert isinstance(config.dataset_options.validation, ValidationFraction)
        with KeptRows(local, "all") as validation:
            report = _examine(rows_of(data), rules, encoder, validation.keep)
        training = validation
        chosen = training.rows.choose_validation(fraction=config.dataset_options.validation.fraction, seed=config.seed)
        split_file(training.tokens_path, chosen, local / VALIDATION_ROWS, local / TRAIN_ROWS)
        trained = [place for place in range(len(training.rows)) if place not in chosen]
    prompts = list(validation.sample_prompts(sorted(chosen)))
    (local / SAMPLE_PROMPTS).write_text(json.dumps(prompts, ensure_ascii=False), encoding="utf-8")
    if not report.used_rows:
        return report
    return report.with_training_rows(
        summarize(read_counts(local / TRAIN_ROWS), validation_rows=len(chosen)),
        labels=training.rows.labels(frozenset() if held_out else chosen),
        examples=list(training.shown(trained, encoder.tokenizer)),
    )


def _examine(
    rows: Iterator[RawRow],
    rules: Rules,
    encoder: ChatEncoder,
    keep: Callable[[Kept], None],
    validation: Set[bytes] = frozenset(),
) -> DatasetReport:
    report = examine(
        rows, rules, encode=encoder.encode, validation=validation, keep=keep, processes=available_processes()
    )
    if unlocated := report.unlocated_answers:
        say(f"{unlocated:,} answers are not trained on: the chat template drops or rewrites them")
    return report


def _read_config(model: Path, uri: str) -> dict[str, Any]:
    try:
        config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelUnavailable(f"{uri} is not a model: it has no config.json") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelUnavailable(f"{uri}: its config.json cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise ModelUnavailable(f"{uri}: its config.json is not an object")
    return config


def _fingerprint(config: PrepareConfig, data: Data, held_out: Data | None, model: Path) -> str:
    """SHA-256 over all that the tokens depend on: data, tokenizer, options, and this code."""
    tokenizer = [path for path in sorted(model.iterdir()) if "token" in path.name or "template" in path.name]
    digests = [file.sha256 for fetched in (data, held_out) if fetched for file in fetched.files]
    with blamed_on(ModelUnavailable):
        digests += [sha256_of(path) for path in tokenizer]
    options = config.dataset_options.model_dump_json(exclude={"uri", "secret_name", "endpoint_url", "region"})
    parts = [str(CODE_VERSION), *digests, options, str(config.train_on_prompt), str(config.seed)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _stored_answer(folder: Folder, fingerprint: str) -> PrepareReport | None:
    """What an earlier run answered, if it prepared the same thing."""
    try:
        answer = PrepareReport.model_validate_json(folder.read(ANSWER))
    except (NotFound, ValidationError):
        return None
    return answer if answer.fingerprint == fingerprint else None
