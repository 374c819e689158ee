"""``ftj``: fine-tune a model from one YAML, on this machine."""

import sys
from typing import Annotated

import typer

from finetune_cli.crd import crd
from finetune_cli.exit_codes import BAD_INPUT, INTERRUPTED, exit_code
from finetune_cli.gpus import gpus
from finetune_cli.lint import lint
from finetune_cli.plan import plan
from finetune_cli.run import run
from finetune_cli.status import status
from finetune_core import __version__
from finetune_core.errors import FinetuneError

app = typer.Typer(
    help=__doc__, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)
app.command()(run)
app.command()(plan)
app.command()(lint)
app.command()(gpus)
app.command()(crd)
app.command()(status)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Fine-tune a model from one YAML, on this machine."""


def main() -> None:
    """Run a command; an error of the tree is one line and its exit code, anything else is a defect and shows itself."""
    try:
        app(standalone_mode=True)
    except FinetuneError as error:
        print(f"ftj: {error}", file=sys.stderr)
        sys.exit(exit_code(error))
    except OSError as error:
        if error.filename is None:
            raise
        print(f"ftj: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        print("ftj: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
