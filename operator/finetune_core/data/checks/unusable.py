"""Rows that cannot be made into an example. Reading finds them; here is what is said of them."""

from finetune_core.data.checks.base import Check

ENFORCED_ABOVE = 0.05
"""A few bad rows are an accident; one in twenty and more is a wrong file, a wrong format or a broken export."""

UNREADABLE_ROW = Check(
    code="unreadable-row",
    policy="drop",
    threshold=ENFORCED_ABOVE,
    measure="share of the rows, above",
    enforced_above_threshold=True,
    message="the row cannot be read",
    fix="write each row as one JSON object in UTF-8, with a JSON library and not by hand",
)

WRONG_SCHEMA = Check(
    code="wrong-schema",
    policy="drop",
    threshold=ENFORCED_ABOVE,
    measure="share of the rows, above",
    enforced_above_threshold=True,
    message="the row does not fit the format",
    fix="name the format (dataset.format, --format), or rename fields with dataset.columns",
)
