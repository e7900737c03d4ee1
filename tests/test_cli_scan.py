"""`jsonl-audit scan` names every secret by file, line and member, shows none, and its status says if there is any."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import corpus
import orjson
import pytest
import zstandard
from commandline import COMMAND, CommandLine, Ended, cli
from corpus_secrets import MAKERS, mixed, pem, pem_body

from jsonl_audit import AuditLog
from jsonl_audit.cli.scan_lines import Finding, findings
from jsonl_audit.redact import redactor_of

__all__ = ["cli"]

LOT = random.Random(7)
KEY = MAKERS["aws"][0](LOT)
TOKEN = MAKERS["github"][0](LOT)


def write(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def found(ended: Ended) -> list[dict[str, Any]]:
    """What `--json` printed."""
    return [json.loads(line) for line in ended.lines]


def places(ended: Ended) -> list[tuple[int, str, str]]:
    return [(told["line"], told["path"], told["kind"]) for told in found(ended)]


def scanned(data: bytes, size: int = 1 << 20) -> list[Finding]:
    """What is found in a file that is read in blocks of this size."""
    redactor = redactor_of("default")
    assert redactor is not None
    return [*findings((data[at : at + size] for at in range(0, len(data), size)), redactor)]


# -- what is said -----------------------------------------------------------------------------------


def test_a_finding_is_file_line_kind_and_a_masked_form(cli: CommandLine) -> None:
    write(cli.folder, "app.log", f"started\nusing {KEY} now\nstopped\n")
    ended = cli("scan", "app.log")
    assert ended.status == 1
    assert ended.lines == [f"app.log:2: aws-access-key-id: {KEY[:4]}***** (20 characters)"]
    assert ended.err == "jsonl-audit: 1 found in 1 of 1 file, 44 B: aws-access-key-id 1\n".replace(
        "44 B", f"{(cli.folder / 'app.log').stat().st_size} B"
    )


def test_nothing_found_is_said_and_is_status_0(cli: CommandLine) -> None:
    write(cli.folder, "app.log", "the password was changed\n")
    ended = cli("scan", "app.log")
    assert (ended.status, ended.out) == (0, b"")
    assert ended.err == "jsonl-audit: nothing found in 1 file, 25 B\n"


def test_a_member_is_named_by_its_path(cli: CommandLine) -> None:
    lines = [
        {"n": 1},
        {"details": {"headers": [{"n": 1}, {"authorization": "open sesame"}], "password": {"old": "a", "new": "b"}}},
        {"details": {"a b": f"see {KEY}", "seen": {TOKEN: 1}}},
    ]
    write(cli.folder, "events.jsonl", b"".join(orjson.dumps(line) + b"\n" for line in lines))
    ended = cli("scan", "--json", "events.jsonl")
    assert places(ended) == [
        (2, "details.headers[1].authorization", "authorization"),
        (2, "details.password", "password"),
        (3, 'details["a b"]', "aws-access-key-id"),
        (3, "details.seen.<redacted:github-token>", "github-token"),
    ]
    assert found(ended)[1]["masked"] == "***** (an object of 2)"


def test_json_within_a_text_is_looked_into(cli: CommandLine) -> None:
    inner = json.dumps({"user": {"password": "open sesame"}, "key": KEY})
    write(cli.folder, "events.jsonl", orjson.dumps({"details": {"body": inner}}) + b"\n")
    assert places(cli("scan", "--json", "events.jsonl")) == [
        (1, "details.body → user.password", "password"),
        (1, "details.body → key", "aws-access-key-id"),
    ]


def test_a_record_is_named_by_its_seq_in_every_segment_of_its_log(cli: CommandLine) -> None:
    path = cli.folder / "audit.jsonl"
    with AuditLog(path, fsync="never", redact=None) as log:
        log.append("a.b", details={"note": KEY})
        log.rotate()
        log.append("a.b", details={"n": 1})
        log.append("a.b", details={"password": "open sesame"})
    ended = cli("scan", "--json", path)
    assert [(told["seq"], told["path"]) for told in found(ended)] == [(2, "details.note"), (5, "details.password")]
    assert found(ended)[0]["file"] == str(next(cli.folder.glob("audit.2*.jsonl")))
    assert found(ended)[1]["file"] == str(path)
    assert cli("scan").status == 1  # without a FILE it is that log
    assert cli("scan", next(cli.folder.glob("audit.2*.jsonl")), "--json").out.count(b"\n") == 1


def test_quiet_says_it_by_the_status_alone(cli: CommandLine) -> None:
    write(cli.folder, "bad.log", f"{KEY}\n")
    write(cli.folder, "good.log", "well\n")
    for names, status in ((["bad.log"], 1), (["good.log"], 0), (["good.log", "bad.log"], 1)):
        ended = cli("scan", "-q", *names)
        assert (ended.status, ended.out, ended.err) == (status, b"", "")


def test_what_stands_in_a_file_does_not_steer_the_terminal(cli: CommandLine) -> None:
    write(cli.folder, "a\x1b[2J.jsonl", orjson.dumps({"x\x1b[31m": KEY}) + b"\n")
    assert "\x1b" not in cli("scan", "a\x1b[2J.jsonl").text


# -- what is looked at ------------------------------------------------------------------------------


def test_standard_input_is_looked_at(cli: CommandLine) -> None:
    ended = cli("scan", "-", stdin=f"one\ntoken={TOKEN}\n".encode())
    assert ended.status == 1
    assert ended.text.startswith("standard input:2: github-token: ")


def test_compressed_files_are_unpacked_with_all_their_members(cli: CommandLine) -> None:
    first, second = (gzip.compress(f"{text}\n".encode()) for text in ("well", KEY))
    write(cli.folder, "old.log.gz", first + second)
    write(cli.folder, "old.log.zst", zstandard.compress(f"well\nwell\n{KEY}\n".encode()))
    assert [told["line"] for told in found(cli("scan", "--json", "old.log.gz", "old.log.zst"))] == [2, 3]


def test_a_compressed_file_that_was_cut_is_an_error_behind_what_was_found(cli: CommandLine) -> None:
    noise = bytes(random.Random(1).choices(b"abcdefgh \n", k=300_000))
    write(cli.folder, "cut.gz", gzip.compress(noise)[:-1000])
    ended = cli("scan", "cut.gz")
    assert ended.status == 4
    assert "cut.gz" in ended.err
    assert "broken" in ended.err


def test_a_directory_is_every_file_below_it_but_not_behind_symlinks(cli: CommandLine) -> None:
    write(cli.folder, "logs/a.log", f"{KEY}\n")
    write(cli.folder, "logs/deep/er/b.jsonl", orjson.dumps({"note": KEY}) + b"\n")
    write(cli.folder, "elsewhere/c.log", f"{KEY}\n")
    os.symlink("../elsewhere", cli.folder / "logs" / "link")
    os.symlink("../elsewhere/c.log", cli.folder / "logs" / "link.log")
    names = [told["file"] for told in found(cli("scan", "--json", "logs"))]
    assert names == ["logs/a.log", "logs/deep/er/b.jsonl"]


def test_a_file_without_text_is_named_and_passed_over(cli: CommandLine) -> None:
    write(cli.folder, "picture.png", b"\x89PNG\r\n\x1a\n\0\0\0" + KEY.encode())
    ended = cli("scan", "picture.png")
    assert (ended.status, ended.out) == (0, b"")
    assert "passed over a file without text: picture.png\n" in ended.err


@pytest.mark.parametrize("mark", ["\ufeff", ""], ids=["marked", "unmarked"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_texts_in_wide_characters_are_read(cli: CommandLine, encoding: str, mark: str) -> None:
    write(cli.folder, "app.log", f"{mark}well\n{KEY}\n".encode(encoding))
    assert places(cli("scan", "--json", "app.log")) == [(2, "", "aws-access-key-id")]


def test_bytes_that_are_no_text_hide_nothing_behind_them(cli: CommandLine) -> None:
    write(cli.folder, "app.log", b"\xff\xfa\x80 broken\n" + KEY.encode() + b"\xff\n")
    assert places(cli("scan", "--json", "app.log")) == [(2, "", "aws-access-key-id")]


def test_json_over_many_lines_is_looked_at_as_a_value(cli: CommandLine) -> None:
    value = {"name": "app", "db": {"host": "h", "password": "open sesame"}, "keys": [1, KEY]}
    write(cli.folder, "config.json", json.dumps(value, indent=2))
    assert places(cli("scan", "--json", "config.json")) == [
        (5, "db.password", "password"), (9, "keys[1]", "aws-access-key-id"),
    ]  # fmt: skip


def test_a_name_that_stands_twice_hides_nothing(cli: CommandLine) -> None:
    write(cli.folder, "a.jsonl", f'{{"note":"{KEY}","note":"well"}}\n')
    assert places(cli("scan", "--json", "a.jsonl")) == [(1, "", "aws-access-key-id")]


def test_lines_of_json_between_lines_of_words_are_both_read(cli: CommandLine) -> None:
    write(cli.folder, "mixed.log", f'begin\n{{"password":"open sesame"}}\n{{not json {TOKEN}\n{KEY}\n')
    assert [(line, kind) for line, _, kind in places(cli("scan", "--json", "mixed.log"))] == [
        (2, "password"), (3, "github-token"), (4, "aws-access-key-id"),
    ]  # fmt: skip


def test_a_private_key_over_many_lines_is_one_finding() -> None:
    block = pem("RSA PRIVATE KEY", pem_body(LOT, 24))
    told = scanned(f"one\ntwo\n{block}three\n{KEY}\n".encode())
    assert [(finding.line, finding.kind) for finding in told] == [(3, "private-key"), (31, "aws-access-key-id")]


# -- large files ------------------------------------------------------------------------------------


def noise(size: int, *, lines: bool) -> Iterator[str]:
    lot = random.Random(size)
    while size > 0:
        text = " ".join(f"word{lot.randrange(10**6)}" for _ in range(12)) + ("\n" if lines else " ")
        size -= len(text)
        yield text


@pytest.mark.parametrize("lines", [True, False], ids=["many lines", "one line"])
def test_wherever_a_secret_stands_in_a_long_text_it_is_found_once(lines: bool) -> None:
    text = "".join(noise(540_000, lines=lines))
    for at, size in ((0, 1 << 20), (262_100, 100_003), (245_760, 1 << 20), (524_278, 100_003), (len(text), 262_144)):
        block = "\n" + pem("EC PRIVATE KEY", pem_body(LOT, 10)) if lines else f" {mixed(LOT, 8)} {KEY} "
        data = (text[:at] + block + text[at:]).encode()
        [told] = scanned(data, size)
        assert told.line == data[: data.index(block.strip().split()[1].encode())].count(b"\n") + 1


def test_the_size_of_the_blocks_changes_nothing() -> None:
    cases = random.Random(3).sample(list(corpus.positives()), 60)
    lines = [case.value if isinstance(case.value, str) else json.dumps(case.value) for case in cases]
    data = "\nwell\n".join(lines).encode()
    whole = scanned(data)
    assert len(whole) >= 50
    for size in (1, 7, 4096):
        assert scanned(data, size) == whole


_MEASURED = """
import resource, runpy, sys
sys.argv[0:1] = ["jsonl-audit"]
from jsonl_audit.cli import main
import jsonl_audit.cli.scan_lines, jsonl_audit.cli.scan_places
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
status = main(sys.argv[1:])
print(status, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ["a long line", "a line of JSON"])
def test_memory_stays_flat_on_a_line_without_end(tmp_path: Path, kind: str) -> None:
    words = "".join(noise(1_000_000, lines=False)).encode()
    with (tmp_path / "long.log").open("wb") as file:
        file.write(b'{"text":"' if kind == "a line of JSON" else b"")
        for _ in range(24):
            file.write(words)
        file.write(KEY.encode() + (b'"}\n' if kind == "a line of JSON" else b"\n"))
    run = subprocess.run(
        [sys.executable, "-c", _MEASURED, "scan", "-q", tmp_path / "long.log"], capture_output=True, check=True
    )
    status, grown = map(int, run.stdout.split())
    assert status == 1
    unit = 1 if sys.platform == "darwin" else 1024
    assert grown * unit < 40 << 20


# -- what goes wrong --------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_an_error_and_the_others_are_looked_at(cli: CommandLine) -> None:
    write(cli.folder, "good.log", "well\n")
    write(cli.folder, "bad.log", f"{KEY}\n")
    ended = cli("scan", "missing.log", "good.log")
    assert ended.status == 4
    assert "missing.log: no such file" in ended.err
    assert "nothing found in 1 file" in ended.err
    assert cli("scan", "missing.log", "bad.log").status == 1


def test_wrong_usage_is_status_2(cli: CommandLine) -> None:
    assert cli("scan", "").status == 2
    assert cli("scan", "--profile", "off", ".").status == 2


def test_a_reader_that_has_enough_is_no_error(cli: CommandLine) -> None:
    write(cli.folder, "bad.log", f"{KEY}\n" * 20_000)
    command = [*COMMAND, "scan", "bad.log"]
    with subprocess.Popen(command, cwd=cli.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert KEY[:4] in run.stdout.readline().decode()
        run.stdout.close()
        assert run.stderr.read() == b""
    assert run.returncode == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device here that is always full")
def test_output_that_cannot_be_written_is_status_4(cli: CommandLine) -> None:
    path = write(cli.folder, "app.log", f"using {KEY}\n" * 20_000)
    with open("/dev/full", "wb") as full:
        ended = subprocess.run([*COMMAND, "scan", path], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, b"cannot be written" in ended.stderr) == (4, True)


def test_colours_only_where_they_are_wanted(cli: CommandLine) -> None:
    write(cli.folder, "bad.log", f"{KEY}\n")
    assert b"\x1b" not in cli("scan", "bad.log").out
    assert b"\x1b[" in cli("scan", "--color", "always", "bad.log").out
