"""README.md of an exported folder: what it is, what it was made of, how good it is, and how to load it.

Whoever downloads the folder has nothing else, so nothing here points at the place it was made in.
"""

from typing import Any

import yaml

from finetune_core.api.job import Method
from finetune_core.api.location import FileUri, HubUri, S3Uri, parse_uri
from finetune_core.contract import RunReport, TrainerConfig
from finetune_storage.output import ADAPTER_FOLDER, MODEL_FOLDER

VLLM_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What ``--max-lora-rank`` takes (vLLM 0.14, vllm.config.lora.MaxLoRARanks)."""

_METHODS: dict[Method, str] = {
    "full": "full fine-tuning",
    "lora": "LoRA",
    "qlora": "QLoRA: LoRA on a base in 4 bit",
}


def model_card(config: TrainerConfig, report: RunReport, kind: str) -> str:
    """The text, with the front matter that the hub reads.

    Args:
        config: what the attempt was told.
        report: what came of it.
        kind: ``ADAPTER_FOLDER`` or ``MODEL_FOLDER``.
    """
    what = {
        ADAPTER_FOLDER: f"A PEFT adapter for {_base(config)}",
        MODEL_FOLDER: f"{_base(config)} with an adapter merged into it"
        if config.merges
        else f"{_base(config)} as a whole",
    }
    sections = [
        f"---\n{yaml.safe_dump(_front_matter(config, kind), sort_keys=False, allow_unicode=True)}---",
        f"# {config.job_name}",
        f"{what[kind]}, fine-tuned by {_METHODS[config.method]}.",
        "## Data",
        _data(config, report),
        "## Results",
        _table(("", "before", "after"), _results(report)),
        *_beside_the_results(report, kind),
        "## Settings",
        _table(("setting", "value"), _settings(config, report)),
        "## How to load it",
        _loading(config, kind),
        "## Versions",
        ", ".join(f"{name} {version}" for name, version in report.versions.items()),
    ]
    return "\n\n".join(sections) + "\n"


def _front_matter(config: TrainerConfig, kind: str) -> dict[str, Any]:
    hub = _hub_id(config)
    about = (
        {"base_model": hub, "base_model_relation": "adapter" if kind == ADAPTER_FOLDER else "finetune"} if hub else {}
    )
    return about | {
        "library_name": "peft" if kind == ADAPTER_FOLDER else "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["fine-tuned", config.method, "finetune-operator"],
    }


def _hub_id(config: TrainerConfig) -> str | None:
    where = parse_uri(config.model.uri)
    return where.repo if isinstance(where, HubUri) else None


def _name_of_base(config: TrainerConfig) -> str:
    """Its id on the hub, or the last part of where it lay."""
    match parse_uri(config.model.uri):
        case HubUri(repo=repo):
            return repo
        case FileUri(path=path) | S3Uri(key=path):
            return path.rstrip("/").rpartition("/")[2] or "base"
    return "base"


def _base(config: TrainerConfig) -> str:
    name, hub, revision = _name_of_base(config), _hub_id(config), _revision(config)
    at = f" at `{revision}`" if revision else ""
    return f"[{name}](https://huggingface.co/{name}){at}" if hub else f"`{name}`"


def _revision(config: TrainerConfig) -> str | None:
    """Which of a base on the hub it is: the commit, where the preparation has told it."""
    where = parse_uri(config.model.uri)
    return where.revision if isinstance(where, HubUri) else None


def _data(config: TrainerConfig, report: RunReport) -> str:
    prepared = config.prepare_report
    statistics = prepared.statistics
    lines = [
        f"{statistics.rows:,} rows to train on with {statistics.supervised_tokens:,} supervised tokens, "
        f"{statistics.validation_rows:,} to validate; {prepared.rejected_rows:,} of {prepared.rows:,} rows left out."
    ]
    if prepared.findings:
        lines.append(
            "Found by the checks: " + ", ".join(f"{found.code} ({found.count:,})" for found in prepared.findings)
        )
    if report.truncated_rows:
        lines.append(f"{report.truncated_rows:,} rows are longer than the cutoff, and were cut.")
    return "\n".join(lines)


def _results(report: RunReport) -> list[tuple[str, str, str]]:
    rows = [
        ("validation loss", _number(report.eval_loss_before), _number(report.eval_loss)),
        ("validation perplexity", _number(report.perplexity_before), _number(report.perplexity)),
    ]
    if report.accuracy is not None:
        rows.append(("validation answers right", f"{report.accuracy.before:.1%}", f"{report.accuracy.after:.1%}"))
    return [*(row for row in rows if row[2]), ("training loss, at the end", "", _number(report.train_loss))]


def _beside_the_results(report: RunReport, kind: str) -> list[str]:
    if kind == ADAPTER_FOLDER or report.merged_loss_difference is None:
        return []
    return [
        "Measured with the adapter beside the base it was trained on. Merged into the base, the loss differs by "
        f"{report.merged_loss_difference:+.4f}."
    ]


def _settings(config: TrainerConfig, report: RunReport) -> list[tuple[str, str]]:
    settings, statistics = config.hyperparameters, config.prepare_report.statistics
    steps = f"{report.steps:,} of {settings.total_steps:,}"
    if report.best_step is not None and report.best_step != report.steps:
        steps += f", weights of step {report.best_step:,}"
    rows = [
        ("method", config.method),
        ("steps", steps),
        ("epochs", f"{report.steps * settings.effective_batch_size / statistics.rows:.3g}"),
        (
            "learning rate",
            f"{settings.learning_rate:g}, {settings.lr_scheduler}, {settings.warmup_steps} warm-up steps",
        ),
        ("rows per step", f"{settings.effective_batch_size}"),
        ("cutoff", f"{settings.cutoff_length:,} tokens"),
        ("precision", settings.precision),
        ("weight decay", f"{settings.weight_decay:g}"),
        ("seed", f"{settings.seed}"),
    ]
    if settings.lora is not None:
        lora = settings.lora
        rows.append(("LoRA", f"rank {lora.rank}, alpha {lora.alpha}, dropout {lora.dropout:g}"))
        rows.append(("LoRA on", "all linears" if lora.all_linear else ", ".join(lora.target_modules)))
    if settings.quantization is not None:
        rows.append(("quantization", settings.quantization.type))
    return rows


def _loading(config: TrainerConfig, kind: str) -> str:
    base = _hub_id(config) or f"path/to/{_name_of_base(config)}"
    here = f"path/to/{kind}"
    if kind == MODEL_FOLDER:
        code = [
            "from transformers import AutoModelForCausalLM, AutoTokenizer",
            "",
            f'tokenizer = AutoTokenizer.from_pretrained("{here}")',
            f'model = AutoModelForCausalLM.from_pretrained("{here}", dtype="auto", device_map="auto")',
        ]
        return _code("python", *code) + "\n\nor\n\n" + _code("sh", f"vllm serve {here}")
    at = f'revision="{revision}", ' if (revision := _revision(config)) else ""
    code = [
        "from peft import PeftModel",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        f'tokenizer = AutoTokenizer.from_pretrained("{here}")',
        f'base = AutoModelForCausalLM.from_pretrained("{base}", {at}dtype="auto", device_map="auto")',
        f'model = PeftModel.from_pretrained(base, "{here}")',
    ]
    return _code("python", *code) + _vllm(config, base, here)


def _vllm(config: TrainerConfig, base: str, here: str) -> str:
    assert config.hyperparameters.lora is not None
    rank = next((rank for rank in VLLM_RANKS if rank >= config.hyperparameters.lora.rank), None)
    if rank is None:
        return f"\n\nvLLM takes adapters up to rank {VLLM_RANKS[-1]}: merge this one for it."
    at = f" --revision {revision}" if (revision := _revision(config)) else ""
    serve = [
        f"vllm serve {base} --enable-lora --max-lora-rank {rank}{at} \\",
        f"  --lora-modules {config.job_name}={here} --chat-template {here}/chat_template.jinja",
    ]
    return "\n\nor\n\n" + _code("sh", *serve)


def _code(language: str, *lines: str) -> str:
    return "\n".join([f"```{language}", *lines, "```"])


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
