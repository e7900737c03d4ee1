"""Which commands there are, and how one is called. A command's module is imported when it is called, not before."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable
from typing import Any

import click

__all__ = ["COMMANDS", "NAME", "call", "jsonl_audit"]

NAME = "jsonl-audit"
COMPLETION = "_JSONL_AUDIT_COMPLETE"
"""The environment variable by which a shell asks for completions."""
COMMANDS = {
    "append": "Append one event, or JSON objects from standard input.",
    "tail": "Show the last records; go on with -f.",
    "query": "Find records by type, actor, time, outcome, any member.",
    "get": "Show one record, by seq or id.",
    "artifact": "Show what is too large for a line, or list all of it.",
    "extract": "Cut a part out, for somebody else to verify.",
    "verify": "Check that nothing was changed, removed or put in.",
    "diff": "Show where two copies part, and what each lacks.",
    "collect": "Put records from standard input back into segments.",
    "doctor": "See what is not well with a log and its place.",
    "ship": "Copy logs to a folder, a share or a store, and go on.",
    "scan": "Look for secrets in any file or log.",
    "info": "Show segments, sizes, ranges, head and types of a log.",
    "types": "Show the types of events, and what is in one.",
    "ship-config": "Print a working configuration of a shipper.",
    "rotate": "Seal the active segment and begin the next.",
    "demo": "See the whole story, in a temporary folder, in seconds.",
    "completion": "Print the completion script of a shell.",
}
"""Every command and what it is for, so that `--help` needs to import none."""


class Commands(click.Group):
    """A group of commands that knows their names, and imports what is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"jsonl_audit.cli.{cmd_name.replace('-', '_')}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"there is no command {args[0]!r}{_perhaps(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _perhaps(given: str, known: Iterable[str]) -> str:
    import difflib

    close = difflib.get_close_matches(given, known, 1, 0.5)
    return f"; did you mean {close[0]}?" if close else ""


def _show_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        from jsonl_audit import __version__

        click.echo(f"{NAME} {__version__}")
        ctx.exit()


@click.group(
    NAME,
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="PATH is the log's active file, or a directory that holds one log. It defaults to "
    "$JSONL_AUDIT_PATH, else audit.jsonl. Each command has --help with examples.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def jsonl_audit() -> None:
    """An append-only audit log that proves its own integrity."""


def call(args: list[str]) -> int:
    """Calls the command that `args` name and returns its exit status; click's exceptions pass through."""
    asked = os.environ.get(COMPLETION)
    if asked:
        from click.shell_completion import shell_complete

        return shell_complete(jsonl_audit, {}, NAME, COMPLETION, asked)
    if not args:
        args = ["--help"]
    if args[0] == "help":  # people try it
        args = [*args[1:2], "--help"]
    with jsonl_audit.make_context(NAME, args) as context:
        status: Any = jsonl_audit.invoke(context)
    return status if isinstance(status, int) else 0
