"""The command line: finds the command, turns exceptions into exit codes.

Exit codes: 0 done (also when no difference was found), 2 bad usage or input, 3 missing or corrupt
weights, 4 out of memory after every fallback, 130 interrupted.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from visdiff_local.errors import VisdiffError
from visdiff_local.system import offline

PROGRAM = "visdiff-local"
COMMANDS = {
    "demo": "visdiff_local.cli.run:demo",
    "run": "visdiff_local.cli.run:run",
    "test": "visdiff_local.cli.run:test",
    "report": "visdiff_local.cli.run:report",
    "bench": "visdiff_local.cli.bench:bench",
    "sweep": "visdiff_local.cli.sweep:sweep",
    "models": "visdiff_local.cli.models:models",
    "index": "visdiff_local.cli.store:index",
    "serve": "visdiff_local.cli.serve:serve",
    "doctor": "visdiff_local.cli.doctor:doctor",
    "docs": "visdiff_local.cli.docs:docs",
}
INTERRUPTED = 130
OUT_OF_MEMORY = 4


class _Commands(click.Group):
    """Imports a command's module when the command is asked for; nothing heavier than click."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="visdiff_local", prog_name=PROGRAM)
def cli() -> None:
    """Says in plain language, and with proof, how two sets of images differ.

    Open weights, one machine, no network. Start with: visdiff-local demo
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code."""
    offline.enforce()
    try:
        code = cli.main(arguments, prog_name=PROGRAM, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except VisdiffError as error:
        _say(str(error))
        return error.exit_code
    except (KeyboardInterrupt, click.exceptions.Abort):
        _say("interrupted; what was finished is kept, and the same command resumes")
        return INTERRUPTED
    except MemoryError:
        _say("out of memory; try smaller models (visdiff-local models plan PROFILE)")
        return OUT_OF_MEMORY
    except BrokenPipeError:
        # Whoever read our output has gone, as in `… | head`; Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _say(message: str) -> None:
    shown = message.encode("utf-8", "backslashreplace").decode("utf-8")
    click.echo(f"{PROGRAM}: {shown}", err=True)
