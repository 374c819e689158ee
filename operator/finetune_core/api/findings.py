"""The names of dataset findings, and what may be done about each.

The checks themselves are in ``finetune_core.data.checks``; a name enters here with its check.
"""

from typing import Literal, get_args

FindingCode = Literal[
    "unreadable-row",
    "wrong-schema",
    "empty-output",
    "empty-instruction",
    "no-supervised-tokens",
    "exact-duplicate",
    "validation-leak",
    "secret",
    "html-markup",
    "control-characters",
    "mojibake",
    "near-duplicate",
    "conflicting-output",
    "pii",
    "internal-reference",
    "repeated-opening",
    "topic-imbalance",
    "mixed-style",
    "unrelated-output",
    "echo",
    "refusal",
    "role-order",
    "hedged-output",
    "terse-output",
    "language-mismatch",
    "typo",
    "over-length",
    "too-few-samples",
]
ThresholdCode = Literal[
    "unreadable-row",
    "wrong-schema",
    "near-duplicate",
    "repeated-opening",
    "topic-imbalance",
    "mixed-style",
    "unrelated-output",
    "terse-output",
]
"""Findings that a number decides about, which a job may set."""

FINDING_CODES: tuple[FindingCode, ...] = get_args(FindingCode)

# "ignore" and not "off": kubectl reads an unquoted off as false (docs/adr/0002-yaml-as-kubectl-reads-it.md).
Policy = Literal["enforce", "drop", "warn", "ignore"]
"""``enforce`` refuses the dataset, ``drop`` leaves the row out, ``warn`` reports it, ``ignore`` is silent."""
