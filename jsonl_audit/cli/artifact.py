"""`jsonl-audit artifact`: what is too large for a line, read back; or a list of what there is."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from jsonl_audit.cli.options import log_path
from jsonl_audit.cli.streams import Output, say
from jsonl_audit.cli.visible import human_size, json_text, visible
from jsonl_audit.errors import ArtifactError, LogError, StorageError

if TYPE_CHECKING:
    from jsonl_audit.artifacts import Store

EXAMPLES = """\
\b
Examples:
  jsonl-audit artifact
  jsonl-audit artifact 42 | less
  jsonl-audit artifact audit.jsonl 9f86d0818 -o build.log
  jsonl-audit artifact --json | jq -r 'select(.state != "whole") | .artifact'
"""
_WHICH = re.compile("[0-9]{1,19}|[0-9a-f]{8,64}")
_CONTROL = re.compile(b"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f]")


@click.command(epilog=EXAMPLES)
@click.argument("words", nargs=-1, metavar="[PATH] [HASH|SEQ]")
@click.option("-o", "--output", metavar="FILE", help="Write it to FILE, which must not be there yet.")
@click.option("--json", "as_json", is_flag=True, help="The list as JSON, an object a line.")
def command(words: tuple[str, ...], output: str | None, as_json: bool) -> int:
    """Show an artifact: content that a record refers to because it is too large for a line.

    HASH is its name, or the beginning of it from 8 digits on; SEQ is a record that refers to one. Without either, all
    are listed, with the first record that refers to each and whether it is whole: they are hashed for that.

    What is read is hashed on the way. If it is not what was stored, the exit status is 4, and of a FILE nothing stays.
    """
    from jsonl_audit import accessed
    from jsonl_audit.artifacts import Store
    from jsonl_audit.segment import Names

    if len(words) > 2:
        raise click.UsageError("one artifact at a time: [PATH] [HASH|SEQ]")
    which = words[-1] if words and (len(words) == 2 or _WHICH.fullmatch(words[-1])) else None
    path = log_path(words[0] if words and (len(words) == 2 or which is None) else None)
    store = Store(Names.of(path))
    if which is None:
        if output is not None:
            raise click.UsageError("-o needs a HASH or a SEQ: which artifact?")
        return _list(path, store, as_json=as_json)
    if as_json:
        raise click.UsageError("--json is for the list; an artifact is shown as it is")
    if _WHICH.fullmatch(which) is None:
        raise click.UsageError(f"{which!r} is neither a seq nor a hash, or its beginning from 8 digits on")
    own = _one_of(path, store, which)
    if own is None:
        return 1
    status = _show(store, own) if output is None else _save(store, own, output)
    accessed.record(path, "artifact", {"which": own}, 1, lambda notice: say(str(notice)))
    return status


def _one_of(path: str, store: Store, which: str) -> str | None:
    """The hash that is meant; None, and a word about it, where that is none, or not one alone."""
    if len(which) == 64:
        return which
    if which.isdigit():
        from jsonl_audit.artifacts.referring import of_record
        from jsonl_audit.reader import get

        found = get(path, int(which), on_damage=lambda notice: say(str(notice)))
        if found is not None:
            referred = {each["artifact"]: each for each in of_record(found)}
            if not referred:
                say(f"{path}: record {which} refers to no artifact")
            elif len(referred) > 1:
                say(f"{path}: record {which} refers to {len(referred)} artifacts; name one of them:")
                for own, each in referred.items():
                    say(f"  {own} {visible(str(each.get('name', '')))}".rstrip())
            return next(iter(referred)) if len(referred) == 1 else None
    known = [own for own in store.hashes() if own.startswith(which)]
    if len(known) == 1:
        return known[0]
    what = f"{len(known)} artifacts begin with {which}; give more of it" if known else f"there is no artifact {which}"
    say(f"{path}: {what}")
    return None


def _show(store: Store, own: str) -> int:
    out = Output()
    with store.open(own) as file:
        blocks = file.blocks()
        if out.terminal:
            blocks = _for_terminal(blocks)
        for block in blocks:
            out.write(block)
    out.flush()
    return 0


def _for_terminal(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Text with what a terminal would obey as escapes. Raises LogError for what is no text."""
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    for block in blocks:
        if _CONTROL.search(block):
            raise LogError("this is no text, and a terminal would obey it; write it to a file with -o, or to a pipe")
        lines = re.split("([\n\t])", decoder.decode(block))
        yield "".join(part if part in "\n\t" else visible(part) for part in lines).encode()


def _save(store: Store, own: str, output: str) -> int:
    try:
        with store.open(own) as source, open(output, "xb") as file:
            try:
                file.writelines(source.blocks())
            except BaseException:
                os.unlink(output)
                raise
    except FileExistsError as error:
        raise StorageError("there is such a file already; choose another name", path=output, errno=17) from error
    except ArtifactError:
        raise
    except OSError as error:
        raise StorageError.of(error, "the artifact could not be written there", output) from error
    return 0


def _list(path: str, store: Store, *, as_json: bool) -> int:
    from jsonl_audit.artifacts.referring import in_log

    here = dict.fromkeys(store.hashes())
    first: dict[str, tuple[dict[str, Any], int | None]] = {}
    for reference, seq in in_log(path):
        first.setdefault(reference["artifact"], (reference, seq))
    out = Output()
    for own in [*first, *(own for own in here if own not in first)]:
        reference, at = first.get(own, ({"artifact": own}, None))
        row: dict[str, Any] = {**reference, "seq": at, "state": store.state(own)}
        row.pop("preview", None)
        if as_json:
            out.write(json_text(row))
        else:
            out.line(_row(row))
    out.flush()
    if not as_json and not first and not here:
        say(f"{path}: no artifacts")
    return 0


def _row(row: dict[str, Any]) -> str:
    seq = "-" if row["seq"] is None else str(row["seq"])
    size = human_size(row["bytes"]) if "bytes" in row else "?"
    words = [str(row.get("media_type", "")), str(row.get("name", ""))]
    if row["state"] != "whole":
        words.append(row["state"].upper())
    if row["seq"] is None:
        words.append("no record refers to it")
    return visible(f"{row['artifact']} {seq:>8} {size:>10}  {' '.join(filter(None, words))}")
