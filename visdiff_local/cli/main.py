"""The command line: finds the command, turns exceptions into exit codes.

Exit codes: 0 done (also when no difference was found), 2 bad usage or input, 3 missing or corrupt
weights, 4 out of memory after every fallback, 130 interrupted.
"""

import gc
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

import click

from visdiff_local.errors import OutputError, ReaderGoneError, VisdiffError
from visdiff_local.system import offline, terminal

PROGRAM = "visdiff-local"
COMMANDS = {
    "demo": "visdiff_local.cli.run:demo",
    "run": "visdiff_local.cli.run:run",
    "test": "visdiff_local.cli.run:test",
    "compare": "visdiff_local.cli.compare:compare",
    "report": "visdiff_local.cli.run:report",
    "view": "visdiff_local.cli.view:view",
    "label": "visdiff_local.cli.label:label",
    "export": "visdiff_local.cli.export:export",
    "bench": "visdiff_local.cli.bench:bench",
    "sweep": "visdiff_local.cli.sweep:sweep",
    "models": "visdiff_local.cli.models:models",
    "prepare": "visdiff_local.cli.prepare:prepare",
    "store": "visdiff_local.cli.store:store",
    "serve": "visdiff_local.cli.serve:serve",
    "doctor": "visdiff_local.cli.doctor:doctor",
    "docs": "visdiff_local.cli.docs:docs",
}
SUMMARIES = {
    "demo": "The whole loop on bundled images",
    "run": "Say how two sets of images differ",
    "test": "Test your own texts on two sets",
    "compare": "Many sets: groups, classes, months, models",
    "report": "Draw a run's report again, or to share",
    "view": "Work with a run's images on a local page",
    "label": "Label images by hand, for how many show it",
    "export": "Images, scores and captions as a table",
    "bench": "Measure the program where truth is known",
    "sweep": "Grids of runs that resume",
    "models": "Weights: list, plan, fetch, pack, verify",
    "prepare": "Fill the store for a set, in shards or on Ray",
    "store": "Inspect, search, fill and prune the store",
    "serve": "Keep models warm on loopback",
    "doctor": "What works on this machine",
    "docs": "The manual",
}
"""What each command is for, in one line that is not cut."""
BAD = 2
INTERRUPTED = 130
OUT_OF_MEMORY = 4
SELDOM = (50_000, 20, 50)
"""How often Python looks for cycles of objects: a row a file is a tuple and a string each, and with
its usual 700 a tenth of a repeated run was spent on walking them."""
LONGEST = 4000
"""Characters of a message: what is wrong may be long, and is quoted in it."""
TRACEBACK = "VISDIFF_TRACEBACK"
"""Set in the environment: an unforeseen error is raised, not said."""


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it; a name that is not there is answered with the nearest that is."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0], COMMANDS, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"no command is called {args[0]!r}{meant}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="visdiff_local", prog_name=PROGRAM)
def cli() -> None:
    """Says in plain language, and with proof, how two sets of images differ.

    Open weights, one machine, no network. Start with: visdiff-local demo
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code."""
    offline.enforce()
    gc.set_threshold(*SELDOM)
    with terminal.guarded():
        return _exit_code(arguments)


def _exit_code(arguments: Sequence[str] | None) -> int:
    try:
        code = cli.main(arguments, prog_name=PROGRAM, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        return _told(_usage(error), error.exit_code)
    except (ReaderGoneError, BrokenPipeError):
        terminal.give_up(sys.stdout)  # Python would complain at exit
        return 0
    except OutputError as error:
        terminal.give_up(sys.stdout)
        return _told(str(error), error.exit_code)
    except VisdiffError as error:
        return _told(str(error), error.exit_code)
    except (KeyboardInterrupt, click.exceptions.Abort):
        told = "interrupted; finished work is saved. Run the same command to resume"
        return _told(told, INTERRUPTED)
    except MemoryError:
        told = "out of memory; try smaller models (visdiff-local models plan PROFILE)"
        return _told(told, OUT_OF_MEMORY)
    except OSError as error:
        return _told(f"{error.filename or 'the system'}: {error.strerror or error}", BAD)
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        return _told(_defect(error), BAD)


def _usage(error: click.ClickException) -> str:
    """What click says of a wrong command line, in one line; the words in it are the user's."""
    context = getattr(error, "ctx", None)
    hint = f" (try: {context.command_path} --help)" if context is not None else ""
    return f"{error.format_message()}{hint}"


def _defect(error: Exception) -> str:
    """An error that nobody foresaw is ours, and is said to be; where it was raised helps to find
    it."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f"{Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else "?"
    told = " ".join(str(error).split())[:300]
    return (
        f"a defect in this program, {type(error).__name__} in {place}: {told}. Please report it; "
        f"{TRACEBACK}=1 and the same command show the whole traceback"
    )


def _told(message: str, code: int) -> int:
    """Says why, where stderr can still be written, and gives the exit code."""
    try:
        cut = message if len(message) <= LONGEST else f"{message[:LONGEST]} … (cut)"
        terminal.note(f"{PROGRAM}: {cut}")
    except OutputError:
        terminal.give_up(sys.stderr)
    return code
