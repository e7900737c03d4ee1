"""Arguments that several commands share: the path of the log, filters, forms of output, sizes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from jsonl_audit.cli.output import FORMS

__all__ = [
    "SECONDS", "color_option", "filter_options", "filters_of", "form_of", "form_options", "log_path", "path_argument",
    "size", "split_value",
]  # fmt: skip

_Command = TypeVar("_Command", bound=Callable[..., Any])
_MANY = ("type", "actor", "user", "profile", "outcome", "level", "task", "session", "correlation", "component", "tool")
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_UNITS |= {f"{unit}ib": size for unit, size in _UNITS.items() if unit} | {"b": 1}
_UNITS |= {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}


class _Seconds(click.FloatRange):
    """At most a day; NaN is in every range of click's."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return number


SECONDS = _Seconds(min=0, max=86_400)


def path_argument(command: _Command) -> _Command:
    """PATH: the log, as `path`; None where it is not given (`log_path` knows what then)."""
    return click.argument("path", required=False, type=click.Path(readable=False))(command)


def log_path(given: str | None) -> str:
    """The log meant: as given, else $JSONL_AUDIT_PATH, else audit.jsonl; a directory that holds one will do."""
    from jsonl_audit.snapshot import resolve

    if given == "":
        raise click.UsageError('PATH is empty, as "$LOG" is where LOG is not set; leave it out to mean audit.jsonl.')
    return resolve(given or os.environ.get("JSONL_AUDIT_PATH") or "audit.jsonl")


def size(text: str) -> int:
    """A number of bytes, with a unit if need be: KB is 1,000, KiB and K are 1,024. For click.option(type=size).

    >>> size("64KiB"), size("1.5 MB"), size("0")
    (65536, 1500000, 0)
    """
    found = re.fullmatch(r"([0-9]{1,30}(?:\.[0-9]+)?)\s*([a-z]*)", str(text).strip().lower())
    if found is None or found[2] not in _UNITS:
        raise click.BadParameter(f"{text!r} is no size: a number and B, KB, KiB, MB, MiB, GB or GiB, such as 100MiB")
    return int(float(found[1]) * _UNITS[found[2]])


def filter_options(command: _Command) -> _Command:
    """The options by which records are chosen; `filters_of` makes filters of them."""
    options = [
        click.option("--type", multiple=True, metavar="GLOB", help="Of this type; * stands for anything: auth.*"),
        click.option("--actor", multiple=True, metavar="ID", help="With this as any identifier of the actor."),
        *(
            click.option(f"--{name}", multiple=True, metavar="VALUE", help=f"With this {name}.")
            for name in _MANY[2:]
        ),
        click.option(
            "--since", "--from", multiple=True, metavar="WHEN",
            help="At or after: 2026-11-21, 2026-11-21T10:11:12Z, yesterday, -2h, 3d.",
        ),
        click.option("--until", "--to", multiple=True, metavar="WHEN", help="Before; a bare date includes that day."),
        click.option(
            "--where", multiple=True, metavar="PATH=VALUE",
            help="With this value at a dotted path; PATH:=JSON for exactly that JSON value.",
        ),
        click.option("--text", multiple=True, metavar="TEXT", help="Whose line holds this text."),
        click.option("--control", is_flag=True, help="Also the engine's own audit.* records."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def filters_of(options: dict[str, Any]) -> dict[str, Any]:
    """Takes the filters out of a command's options, as the keyword arguments of `query`.

    Options of one name are alternatives. A `--where` value that reads as a number, true, false or null matches that
    as well as the text.

    >>> filters_of({"type": ("auth.*",), "where": ("details.code=7", "details.tool:=\\"bash\\""), "control": False})
    {'type': ['auth.*'], 'where': {'details.code': ['7', 7], 'details.tool': ['bash']}}
    """
    chosen: dict[str, Any] = {}
    for name in (*_MANY, "text"):
        values = options.pop(name, ())
        if values:
            chosen[name] = list(values)
    for name, alias in (("since", "from"), ("until", "to")):
        times = options.pop(name, ())
        if len(times) > 1:  # the last would win, and nobody would know
            raise click.UsageError(f"--{name} (--{alias} is the same) is given {len(times)} times; give it once.")
        if times:
            chosen[name] = times[0]
    where: dict[str, list[Any]] = {}
    for word in options.pop("where", ()):
        path, value, exact = split_value(word, "--where")
        where.setdefault(path, []).extend([value] if exact else _readings(value))
    if where:
        chosen["where"] = where
    if options.pop("control", False):
        chosen["control"] = True
    return chosen


def _readings(text: str) -> list[Any]:
    from jsonl_audit.cli.parse import BadLineError, parse_value

    if text[:1] in "0123456789-" or text in ("true", "false", "null"):
        try:
            return [text, parse_value(text)]
        except BadLineError:
            pass
    return [text]


def split_value(word: str, option: str) -> tuple[str, Any, bool]:
    """`name=text` or `name:=json` as name, value and whether it was JSON.

    >>> split_value("a=7", "--detail"), split_value("a:=[7]", "--detail")
    (('a', '7', False), ('a', [7], True))
    """
    from jsonl_audit.cli.parse import BadLineError, parse_value

    name, equals, text = word.partition("=")
    if not equals or not name.rstrip(":"):
        raise click.BadParameter(f"{word!r} is no NAME=TEXT or NAME:=JSON", param_hint=option)
    if not name.endswith(":"):
        return name, text, False
    try:
        return name[:-1], parse_value(text), True
    except BadLineError as error:
        raise click.BadParameter(f"what follows {name}= is no JSON: {error}", param_hint=option) from error


def color_option(command: _Command) -> _Command:
    """--color, as `color`."""
    return click.option(
        "--color", "--colour", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
        help="Colours; auto: on a terminal, unless NO_COLOR is set.",
    )(command)  # fmt: skip


def form_options(default: str) -> Callable[[_Command], _Command]:
    """-o, --fields, --csv-exact, --color; `form_of` makes the form of them."""

    def add(command: _Command) -> _Command:
        command = color_option(command)
        command = click.option(
            "--csv-exact", is_flag=True,
            help="Leave csv texts as they are, those too that a spreadsheet would run as a formula.",
        )(command)  # fmt: skip
        command = click.option(
            "--fields", metavar="PATH,PATH…", help="Columns of csv and table, as dotted paths: seq,actor.id"
        )(command)
        return click.option(
            "-o", "--output", type=click.Choice(FORMS), default=default, show_default=True,
            help="jsonl: the lines as they stand on disk.",
        )(command)  # fmt: skip

    return add


def form_of(options: dict[str, Any]) -> Any:
    """Takes the form of output out of a command's options."""
    from jsonl_audit.cli.colours import Paint, wanted
    from jsonl_audit.cli.output import make_form
    from jsonl_audit.cli.streams import Output

    name, fields = options.pop("output"), options.pop("fields")
    exact, color = options.pop("csv_exact"), options.pop("color")
    if fields is not None and name not in ("csv", "table"):
        raise click.UsageError(f"--fields are the columns of csv and table; -o {name} has none.")
    columns = [field.strip() for field in fields.split(",") if field.strip()] if fields else []
    out = Output()
    return make_form(name, out, Paint(wanted(color, terminal=out.terminal)), columns, exact=exact)
