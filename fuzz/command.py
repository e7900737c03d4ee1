"""Any arguments of the command: a documented exit status, never a traceback, and reading changes no byte of a log."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import folders
from driver import Choices, Folder, any_bytes, descriptors, drawn_anew, main

from jsonl_audit import verify
from jsonl_audit.cli import app
from jsonl_audit.cli import main as command_line

READING = ("tail", "query", "get", "verify", "info", "completion", "help", "-h", "--help", "--version", "nonsense", "")
COMMANDS = (*READING, *READING[:5], *READING[:3], "append", "append", "append", "rotate")
STATUS = {"verify": {0, 1, 2, 3, 4}, "append": {0, 1, 2, 4}, "get": {0, 1, 2, 4}}
"""docs/reference/errors.md, "Exit codes"; 130 is Ctrl-C."""
LIKELY = {
    "type": ["fuzz.*", "fuzz.one", "audit.*", "a b", "[", "audit.x"], "actor": ["u1", "id=u1", "a.b=1"],
    "since": ["2026-11-21", "-2h", "now", "1970-01-01", "1.5", "10:00", "99999-1-1"],
    "until": ["2026-11-21", "1970-01-01", "tomorrow"],
    "where": ["details.seq=1", "n:=1", "list.0.0:=1.5", "x", "=", "a:={"], "text": ["é", "x", 'é\n"x"'],
    "output": ["short", "json", "jsonl", "csv", "table"], "lines": ["0", "1", "99", "-1"],
    "fields": ["seq,actor.id", "n", "", "details.tags.-1,x"], "after": ["3", "0", "99", "3:" + "0" * 64, "x"],
    "limit": ["0", "2", "-1"], "offset": ["0", "2"], "workers": ["1"],
    "lock_timeout": ["0", "0.01", "nan", "-1", "1e999"], "detail": ["n=1", "a.b:=[1]", "a.b=1", "x"],
    "set": ["task=1", "type=x", "seq=1", "details=1"], "id": ["x", "7"],
    "time": ["2026-11-21T10:11:12Z", "1.5", "no"], "type_from": ["eventName", "a.b", "n"],
    "time_from": ["eventTime", "n"], "max_bytes": ["64KiB", "0", "1", "x"],
    "line_limit": ["1KiB", "16MiB", "17MiB", "0"], "words": ["1", "3", "99", "x"],
    "paths": ["audit.jsonl", "damaged.jsonl", "several", "one", "missing.jsonl"],
    "path": ["audit.jsonl", "audit.jsonl", "damaged.jsonl", "several", "one", ".", "missing.jsonl", "text.txt"],
}  # fmt: skip
"""Values that a person would try, by the name of the parameter."""
VALUES = [
    "audit.jsonl", "damaged.jsonl", "several", "one", ".", "missing.jsonl", "text.txt", "folder/missing.jsonl", "",
    "fuzz.*", "fuzz.one", "audit.*", "u1", "1", "0", "-1", "3", "99999999999999999999", "1e9", "nan", "inf", "2h",
    "now", "yesterday", "2026-11-21", "2026-11-21T10:11:12Z", "monday 10:00", "a=b", "a.b=1", "a:=[1]", "a:={", "=x",
    "n=1", "details.seq=1", "short", "json", "jsonl", "csv", "table", "seq,actor.id", ",", "always", "never",
    "interval", "auto", "keep", "skip", "stop", "64KiB", "5XB", "1", "bash", "zsh", "fish",
    "0199c0de-0000-7000-8000-000000000002", "7:" + "0" * 64, "\udcff", "é\x1b[31m", "\n", "type", "x" * 300,
    "[" * 3000, "a:=" + "9" * 5000, "9" * 5000, "%s", "{}", "~", "*",
]  # fmt: skip
LINES = [
    b'{"type":"fuzz.line"}', b"{}", b"", b"[]", b"{", b'{"type":"audit.x"}', b'{"type":5}', b'{"a":1,"a":2}', b"\xff",
    b"\0", b'{"n":1e999}', b'{"n":NaN}', b'{"n":' + b"9" * 5000 + b"}", b'{"a":' * 200 + b"1" + b"}" * 200,
    b"[" * 100_000, b'{"x":"' + b"x" * 40_000 + b'"}', b'\xef\xbb\xbf{"type":"bom"}', b'{"type":"cr"}\r',
    b'{"id":"x","seq":1,"time":"no"}', b'{"eventName":"A b","eventTime":"2026-11-21T10:11:12Z","ts":5}', b'"\\ud800"',
    b'{"\\ud800":"\\ud800"}',
]  # fmt: skip

folder = Folder()
here = folder.fresh()
folder.keep()
pristine: dict[str, bytes] = {}


def lay_out() -> None:
    """The files that arguments may name, as they were before anything was done to them."""
    made = [folders.parts_of(seed)[1] for seed in folders.seeds()[:10]]
    for name, parts in (("", made[1]), ("several", made[2]), ("one", made[4])):
        (here / name).mkdir(exist_ok=True)
        folders.lay_out([part for part in parts if part[0] != folders.MARK], here / name)
    (here / "damaged.jsonl").write_bytes(made[0][0][1].replace(b"fuzz.one", b"fuzz.two"))
    (here / "several" / "other.jsonl").write_bytes(made[0][0][1])
    (here / "text.txt").write_bytes(b"no log\n")
    pristine.update(files())


def files() -> dict[str, bytes]:
    """All that lies there, but for lock files."""
    found = {}
    for path in here.rglob("*"):
        if path.is_file() and path.suffix != ".lock":
            found[str(path)] = path.read_bytes()
    return found


def arguments(choice: Choices) -> list[str]:
    """A command and its arguments, most of them such as a person would try."""
    named = choice.of(COMMANDS)
    command = app.jsonl_audit.get_command(None, named)  # type: ignore[arg-type]
    if command is None or choice.one_in(20):
        return [named, *(_any_word(choice) for _ in range(choice.below(5)))]
    given = [named]
    options = [each for each in command.params if each.param_type_name == "option" and "--follow" not in each.opts]
    given += [_value(choice, each) for each in command.params if each.param_type_name == "argument" and choice.below(8)]
    for _ in range(choice.below(6) if options else 0):
        option = choice.of(options)
        spelled = choice.of([*option.opts, *option.secondary_opts])
        if getattr(option, "is_flag", False):
            given.append(spelled)
        elif choice.one_in(4) and spelled.startswith("--"):
            given.append(f"{spelled}={_value(choice, option)}")
        else:
            given += [spelled, _value(choice, option)]
    if choice.one_in(8):
        given.insert(
            choice.below(len(given) + 1), choice.of(["-f", "--help", "--", "-", "-x", "-n1", "--unknown=1", "-qq"])
        )
    return [_harmless(each) for each in given]


def _value(choice: Choices, parameter: Any) -> str:
    return choice.of(LIKELY[parameter.name]) if choice.below(4) and parameter.name in LIKELY else _any_word(choice)


def _any_word(choice: Choices) -> str:
    return choice.of(VALUES) if choice.below(4) else _harmless(choice.text(10))


def _harmless(argument: str) -> str:
    """An argument that names no path outside of the folder."""
    return argument.replace("/", "_").replace("\0", "") if argument not in VALUES else argument


@contextlib.contextmanager
def standing_in(stdin: bytes) -> Iterator[tuple[Any, Any]]:
    """Files in the place of the standard three, under their descriptors and under their names."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        kept = [os.dup(fd) for fd in (1, 2)]
        for fd, file in ((1, out), (2, err)):
            os.dup2(file.fileno(), fd)
        texts = [open(os.dup(fd), "w", encoding="utf-8", errors="surrogateescape") for fd in (1, 2)]  # noqa: SIM115
        try:
            with mock.patch.multiple(sys, stdin=given, stdout=texts[0], stderr=texts[1]):
                yield out, err
        finally:
            for text in texts:
                with contextlib.suppress(OSError):
                    text.close()
            for fd, saved in zip((1, 2), kept, strict=True):
                os.dup2(saved, fd)
                os.close(saved)


def run(given: list[str], stdin: bytes) -> tuple[int, bytes, bytes]:
    """The exit status, and what was said."""

    def enough(_: float) -> None:
        raise KeyboardInterrupt

    with standing_in(stdin) as (out, err), mock.patch.object(time, "sleep", enough):
        status = command_line(given)
        sys.stdout.flush()
        out.seek(0)
        err.seek(0)
        return status, out.read(), err.read()


def target(data: bytes) -> None:
    if not pristine:
        lay_out()
    os.chdir(here)
    choice = Choices(data)
    stdin = b"\n".join(choice.of(LINES) for _ in range(choice.below(5)))
    given = arguments(choice)
    opened = descriptors()
    try:
        status, out, err = run(given, stdin)
    except BaseException as error:
        raise AssertionError(f"{given} raises {error!r}") from error
    command = next((each for each in given if each in app.COMMANDS), "")
    expected = STATUS.get(command, {0, 2, 4}) | ({130} if command == "tail" else set())
    assert status in expected, (given, status, err)
    assert b"Traceback" not in err, (given, err)
    assert status in (0, 1, 3, 130) or err or "-q" in given or "--quiet" in given, f"{given} fails without a word"
    assert not err or status or b"Traceback" not in out
    assert descriptors() == opened, f"{given} leaves a file open"
    now = files()
    if command in ("append", "rotate"):
        kept = set(now.values())
        for path, content in pristine.items():
            assert any(other.startswith(content) for other in kept), f"{given} took bytes of {path} away"
        if status == 0 and (here / "audit.jsonl").exists():
            assert verify(here / "audit.jsonl", full=True, workers=1).verdict == "intact"
        _put_back(now)
    else:
        assert now == pristine, f"{given} changed a file"


def _put_back(now: dict[str, bytes]) -> None:
    if now != pristine or any(here.rglob("*.lock")):
        for path in here.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for name, content in pristine.items():
            Path(name).parent.mkdir(exist_ok=True, parents=True)
            Path(name).write_bytes(content)


if __name__ == "__main__":
    warnings.simplefilter("error")
    main(target, any_bytes(), drawn_anew, largest=256)
