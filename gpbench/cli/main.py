"""`gpbench`: finds a command's module by name, runs it, and turns expected errors into one message.

Imports neither numpy nor sqlalchemy: the help is shown before any heavy module is loaded.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from gpbench import __version__
from gpbench.core.errors import GpbenchError

COMMANDS = {
    "run": "Pre-train, fine-tune and score an experiment; the same command again continues it.",
    "plan": "Show what `run` would do, what it costs and what it can show.",
    "status": "Show how far the experiments of a working directory are.",
    "compare": "Test strategies against a baseline on stored results.",
    "calibrate": "Show how often `compare` calls equal strategies different.",
    "score": "Score label maps of any tool by a dataset's protocol.",
    "leaderboard": "Build the static results site.",
    "strategies": "List and show pre-training strategies; begin one of your own.",
    "datasets": "List, show, prepare, check and preview downstream datasets; begin your own.",
    "sources": "List and show pre-training sources.",
    "backbones": "List and show backbones.",
    "recipes": "List and show training recipes.",
    "doctor": "Check this installation and machine.",
    "demo": "Run the whole flow once on a small synthetic world.",
}


class LazyGroup(TyperGroup):
    """A group whose commands are modules `gpbench.cli.NAME` with a Typer `app`, loaded when run.

    The overview of all commands is made from `COMMANDS` alone.
    """

    overview = False

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002  typer's vendored Context
        self.overview = True
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]  # noqa: ARG002  as above
        if cmd_name not in COMMANDS:
            return None
        if self.overview:
            return TyperCommand(cmd_name, help=COMMANDS[cmd_name])
        command: Any = typer.main.get_command(
            importlib.import_module(f"gpbench.cli.{cmd_name}").app
        )
        command.name = cmd_name
        return command


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"gpbench {__version__}")
        raise typer.Exit


@app.callback()
def gpbench(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Which pre-training strategy is best for segmenting remotely sensed images?"""


def main() -> None:
    """Run the command line; an expected error becomes one message on stderr and its exit code."""
    try:
        app()
    except GpbenchError as error:
        if "--debug" in sys.argv:
            traceback.print_exc()
        sys.stderr.write(f"gpbench: {error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
