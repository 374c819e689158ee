"""``report.html``: one file that needs no network, from a run's own papers."""

from finetune_core.report.render import render_report

__all__ = ["render_report"]
