"""``ftj``: fine-tune a model from one YAML, on this machine."""

import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from finetune_cli.exit_codes import BAD_INPUT, INTERRUPTED, exit_code
from finetune_core import __version__
from finetune_core.errors import FinetuneError

COMMANDS = ("run", "plan", "lint", "gpus", "crd", "status")
"""Each is a module of this package, and the function of its name in it."""

PLAIN: dict[str, Any] = {"add_completion": False, "rich_markup_mode": None, "pretty_exceptions_enable": False}


class _Commands(TyperGroup):
    """A command is imported when it is asked for: to import all takes a tenth of the time of ``ftj plan``."""

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """None for a name that is no command's."""
        if cmd_name not in COMMANDS:
            return None
        alone = typer.Typer(**PLAIN)
        alone.command(cmd_name)(getattr(import_module(f"finetune_cli.{cmd_name}"), cmd_name))
        return typer.main.get_command(alone)


app = typer.Typer(cls=_Commands, help=__doc__, no_args_is_help=True, **PLAIN)


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
