"""Writes the reference of the command line, docs/reference/cli.md, from the commands themselves.

python docs/generate_cli.py            writes the page
python docs/generate_cli.py --check    says whether the committed page is up to date
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

import click

PAGE = Path(__file__).resolve().parent / "reference" / "cli.md"
INTRODUCTION = """\
# Command line

<!-- Written by docs/generate_cli.py from the commands themselves: do not edit. -->

`PATH` is a log: its active file, or a folder that holds one log. Without one it is
`$JSONL_AUDIT_PATH`, else `audit.jsonl`. Filters and dates are explained on [a page of their
own](filters.md), exit codes on [another](errors.md#exit-codes). Data goes to standard output, words
to standard error.
"""


def page(group: click.Group) -> str:
    """The whole page, ending in one newline."""
    context = click.Context(group, info_name="jsonl-audit")
    sections = [INTRODUCTION, _options(group, context)]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            sections.append(_section(command, click.Context(command, info_name=name, parent=context)))
    return "\n".join(section.strip("\n") + "\n" for section in sections if section)


def _section(command: click.Command, context: click.Context) -> str:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [f"## {context.info_name}", f"```text\n{usage}\n```"]
    parts += [_prose(text) for text in (command.help, command.epilog) if text]
    parts.append(_options(command, context))
    return "\n\n".join(part for part in parts if part)


def _prose(text: str) -> str:
    """Help text as Markdown: a paragraph behind click's \\b mark keeps its lines."""
    shown = []
    for paragraph in inspect.cleandoc(text.partition("\f")[0]).split("\n\n"):
        if paragraph.startswith("\b\n"):
            shown.append(f"```text\n{paragraph[2:]}\n```")
        else:
            shown.append(_escaped(paragraph))
    return "\n\n".join(shown)


def _escaped(text: str) -> str:
    """Plain words as Markdown that shows just these."""
    return re.sub(r"[*<_]", r"\\\g<0>", text)


def _cell(text: str) -> str:
    """What stands in a table, where a bar would end the cell."""
    return text.replace("|", "\\|")


def _options(command: click.Command, context: click.Context) -> str:
    rows = []
    for option in command.params:
        record = option.get_help_record(context)
        if record is None or not isinstance(option, click.Option):
            continue
        spelled = ", ".join(option.opts)
        if option.secondary_opts:
            spelled += " / " + ", ".join(option.secondary_opts)
        if not option.is_flag and not option.count:
            spelled += f" {option.metavar or _kind(option)}"
        meaning = option.help or ""
        if option.show_default is True and not option.is_flag:
            meaning += f" Default: {option.default}."
        rows.append(f"| `{_cell(spelled)}` | {_cell(_escaped(meaning))} |")
    return "\n".join(["| option | |", "|---|---|", *rows]) if rows else ""


def _kind(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "[" + "|".join(map(str, option.type.choices)) + "]"
    return option.type.name.upper()


def main() -> int:
    from jsonl_audit.cli.app import jsonl_audit as command

    text = page(command)
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text("utf-8") != text:
            print(f"{PAGE} is not up to date: run `python docs/generate_cli.py`", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
