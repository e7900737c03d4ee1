"""Whatever way an event takes into a log, it goes through the same: context, catalogue, redaction, artifacts."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import re
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import loguru
import pytest
import structlog
from commandline import run
from disk import Disk

from jsonl_audit import (
    AsyncAuditLog,
    AuditEvent,
    AuditLog,
    EventError,
    EventTooLargeError,
    StorageError,
    context,
    query,
    verify,
)
from jsonl_audit.handlers import AuditHandler, AuditLoggerFactory, AuditSink
from jsonl_audit.intake import Intake
from jsonl_audit.redact import redactor_of

pytestmark = pytest.mark.usefixtures("quick_disk")

TOKEN = "gh" + "p_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
WORD = "correct-horse-battery"


def everywhere(folder: Path) -> bytes:
    """All bytes of all files."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def gone(folder: Path) -> bool:
    data = everywhere(folder)
    return TOKEN.encode() not in data and WORD.encode() not in data


@dataclasses.dataclass
class Login:
    user: str
    password: str


def _append(path: str) -> None:
    with AuditLog(path) as log:
        log.append({"type": "t", "password": WORD, "text": f"with {TOKEN}"})


def _members(path: str) -> None:
    with AuditLog(path) as log:
        log.append("t", password=WORD, text=f"with {TOKEN}")


def _mapping(path: str) -> None:
    with AuditLog(path) as log:
        log.append(MappingProxyType({"type": "t", "password": WORD, "text": TOKEN}))
        log.append(OrderedDict(type="t", password=WORD, text=[TOKEN]))


def _odd(path: str) -> None:
    with AuditLog(path) as log:
        log.append("t", login=Login("u1", WORD), args=(TOKEN,), key={1: TOKEN, b"x": {TOKEN}}, path=Path("/", TOKEN))


def _event(path: str) -> None:
    with AuditLog(path) as log:
        log.append(AuditEvent(type="t", outcome="success", details={"password": WORD, "n": [TOKEN]}))


def _many(path: str) -> None:
    with AuditLog(path) as log:
        log.append_many([{"password": WORD}, {"text": TOKEN}])
        log.append_group([{"password": WORD}, {"text": TOKEN}])


def _context(path: str) -> None:
    with AuditLog(path) as log, context(password=WORD, run={"env": [f"GITHUB={TOKEN}"]}):
        log.append("t")


def _asynchronous(path: str) -> None:
    async def main() -> None:
        async with AsyncAuditLog(path) as log:
            await log.append("t", password=WORD, text=TOKEN)
            await log.append_many([{"password": WORD}, {"text": TOKEN}])
            await log.append("t", text=f"{TOKEN} " + "x" * 50_000)

    asyncio.run(main())


def _logging(path: str) -> None:
    handler = AuditHandler(path, fsync="never")
    logger = logging.getLogger("of a test of the intake")
    logger.addHandler(handler)
    try:
        logger.warning("%s came in with %s", {"password": WORD}, TOKEN, extra={"api_key": WORD, "n": {"x": TOKEN}})
        try:
            raise ValueError(f"the token {TOKEN} is wrong", {"password": WORD})
        except ValueError:
            logger.exception("failed")
        logger.warning("long: %s", f"{TOKEN} password={WORD} " * 2_000)
    finally:
        logger.removeHandler(handler)
        handler.close()


def _structlog(path: str) -> None:
    factory = AuditLoggerFactory(path)
    logger = structlog.wrap_logger(factory(), processors=[])
    logger.info("token", token=TOKEN, text=f"token {TOKEN}", password=WORD)
    factory.close()


def _loguru(path: str) -> None:
    sink = AuditSink(path)
    logger = loguru.logger
    number = logger.add(sink)
    try:
        logger.bind(password=WORD).info("token {}", TOKEN)
    finally:
        logger.remove(number)


def _command(path: str) -> None:
    cwd, event = Path(path).parent, json.dumps({"type": "t", "password": WORD, "text": TOKEN}).encode()
    run("append", path, "--type", "t", "--detail", f"password={WORD}", "--set", f"text={TOKEN}", cwd=cwd)
    run("append", path, cwd=cwd, stdin=event + b"\n" + event)
    run("append", path, "--on-bad", "keep", cwd=cwd, stdin=f"no json: password={WORD} {TOKEN}\n".encode())
    run("append", path, "--wrap", "--type-from", "type", cwd=cwd, stdin=event)


def _purge(path: str) -> None:
    with AuditLog(path) as log:
        for _ in range(3):
            log.append("t", password=WORD)
            log.rotate()
        log.purge(keep=1, reason=f"asked for with {TOKEN}")


WAYS: list[Callable[[str], None]] = [
    _append, _members, _mapping, _odd, _event, _many, _context, _asynchronous, _logging, _structlog, _loguru,
    _command, _purge,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__.strip("_"))
def test_no_way_in_lets_a_secret_through(tmp_path: Path, way: Callable[[str], None]) -> None:
    path = str(tmp_path / "audit.jsonl")
    way(path)
    assert gone(tmp_path)
    records = list(query(path))
    assert records
    assert any("redacted" in record for record in records)
    assert verify(path, full=True).verdict == "intact"


def test_what_is_held_in_a_spill_log_is_clean_already(tmp_path: Path) -> None:
    folder, spilled = tmp_path / "log", tmp_path / "spilled"
    folder.write_text("in the way of the folder")
    handler = AuditHandler(folder / "audit.jsonl", spill_path=spilled, delay=True)
    logger = logging.getLogger("of a test of spilling")
    logger.addHandler(handler)
    try:
        logger.warning("%s", TOKEN, extra={"password": WORD})
        logger.warning("long %s", f"{TOKEN} " * 2_000)
        assert b"log.record" in everywhere(spilled)
        assert gone(spilled)
        folder.unlink()
        handler.flush()
    finally:
        logger.removeHandler(handler)
        handler.close()
    assert len(list(query(folder / "audit.jsonl", type="log.record"))) == 2
    assert gone(tmp_path)


def test_with_redaction_off_all_is_written_as_it_is_given(disk: Disk) -> None:
    event = {"type": "t", "password": WORD, "text": TOKEN}
    with disk.open(redact=None) as log:
        log.append(event)
    (record,) = query(disk.path)
    assert {name: record[name] for name in event} == event
    assert "redacted" not in record


def test_what_was_taken_out_is_counted_by_kind(disk: Disk) -> None:
    with disk.open() as log:
        log.append("t", password=WORD, details={"password": "other", "text": f"{TOKEN} and {TOKEN}"})
        log.append("t", n=1)
    first, second = query(disk.path)
    assert sum(first["redacted"].values()) == 4
    assert list(first)[-3:] == ["redacted", "prev", "hash"]
    assert set(re.findall("<redacted:([a-z-]+)", json.dumps(first))) == set(first["redacted"])
    assert "redacted" not in second


@pytest.mark.parametrize(
    ("own", "kept", "more"),
    [({"password": 2, "mine": 1}, None, 3), ({}, None, 1), ("yes", "yes", 1), ({"word": "two"}, {"word": "two"}, 1),
     ({"password": True}, {"password": True}, 1), (None, None, 1), ({"password": -1}, {"password": -1}, 1),
     ({"password": 2**64 - 1}, {"password": 2**64 - 1}, 1)],
)  # fmt: skip
def test_a_count_that_the_event_brings_goes_on_or_moves(disk: Disk, own: Any, kept: Any, more: int) -> None:
    with disk.open() as log:
        log.append("t", redacted=own, password=WORD)
    (record,) = query(disk.path)
    assert record["redacted"]["password"] == more
    assert record.get("details", {}).get("redacted") == kept
    assert gone(disk.folder)


def test_what_moves_under_details_stands_no_deeper_than_a_line_may_be_nested(disk: Disk) -> None:
    own: Any = "bottom"
    for _ in range(127):
        own = [own]
    with disk.open() as log:
        log.append("t", redacted=own, password=WORD)
        log.append("t", redacted=own, password=WORD, details="a text")
    assert verify(disk.path).verdict == "intact"


def test_a_record_that_goes_from_one_log_into_another_stays_as_it_is(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "a.jsonl") as log:
        log.append("t", password=WORD, details={"x": TOKEN})
        (first,) = log.query()
    with AuditLog(tmp_path / "b.jsonl") as log:
        log.append({name: first[name] for name in ("type", "password", "details", "redacted")})
        (again,) = log.query()
    assert [again[name] for name in ("password", "details", "redacted")] == [
        first[name] for name in ("password", "details", "redacted")
    ]


@pytest.mark.parametrize("how", ["append", "append_many", "append_group"])
def test_a_type_that_holds_a_secret_is_refused_without_saying_it(disk: Disk, how: str) -> None:
    with disk.open() as log, pytest.raises(EventError, match="type holds what looks like a secret") as caught:
        getattr(log, how)(TOKEN) if how == "append" else getattr(log, how)([{"type": TOKEN}])
    assert TOKEN not in str(caught.value)
    assert gone(disk.folder)


# -- what is too long


def test_an_event_that_is_too_long_is_refused_without_artifacts_and_nothing_is_written(disk: Disk) -> None:
    with disk.open(artifacts=False) as log:
        log.append("t", n=0)
        before = disk.content()
        with pytest.raises(EventTooLargeError):
            log.append("t", text="x" * 40_000)
        assert disk.content() == before


def test_the_limit_is_that_of_what_is_left_after_redaction(disk: Disk) -> None:
    with disk.open(artifacts=False) as log:
        log.append("t", password=WORD * 2_000)
    (record,) = query(disk.path)
    assert record["password"].startswith("<redacted:")


@pytest.mark.parametrize("length", [0, 1, 100, 31_000, 32_000, 33_000, 100_000, 10_000_000])
def test_a_long_value_is_whole_in_the_store_and_the_line_keeps_to_the_limit(disk: Disk, length: int) -> None:
    text = "häuser " * (length // 8)
    with disk.open() as log:
        receipt = log.append("t", details={"n": 1, "text": text})
        (record,) = log.query()
        kept = record["details"]["text"]
        assert record["hash"] == receipt.hash
        if type(kept) is dict:
            assert log.artifacts.read(kept).decode() == text
        else:
            assert kept == text
    assert max(map(len, disk.lines())) <= 32 * 1024
    assert verify(disk.path, full=True).verdict == "intact"


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("on_error", ["raise", "block", "spill", "drop"])
def test_where_large_values_cannot_be_stored_the_policy_decides(
    disk: Disk, tmp_path: Path, on_error: str, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with disk.open(on_error=on_error, shared=shared, error_timeout=0.2) as log:

        def refuse(*_: Any) -> None:
            raise StorageError("no space is left", path=disk.path, errno=28)

        monkeypatch.setattr(log.artifacts, "fit", refuse)
        if on_error in ("raise", "block"):
            with pytest.raises(StorageError, match="no space"):
                log.append("t", text=f"{TOKEN} " + "x" * 40_000)
            assert list(log.query()) == []
        else:
            log.append("t", text=f"{TOKEN} " + "x" * 40_000)
            (record,) = log.query()
            assert record["text"]["$short"].startswith("<redacted:")
    assert gone(disk.folder)


def test_what_never_ends_is_refused_or_cut(disk: Disk) -> None:
    with disk.open() as log, pytest.raises(EventTooLargeError):
        log.append("t", numbers=range(10**12))
    body = Intake(4096, redactor_of("default"), shortens=True).body({"type": "t", "numbers": range(10**12)})
    assert b'"items":1000000000000' in body.members


def test_a_secret_is_not_cut_in_two_before_it_is_looked_for(disk: Disk) -> None:
    """A cut leaves the beginning of a text: half a token there would be half a token on the disk."""
    for room in range(0, 60, 7):
        intake = Intake(2048, redactor_of("default"), shortens=True)
        body = intake.fitted(intake.body({"type": "t", "text": "x " * (700 - room // 2) + TOKEN + " y" * 3000}))
        assert TOKEN[:8].encode() not in body.members


# -- the catalogue


def test_an_event_of_a_free_type_is_left_as_it_is(disk: Disk) -> None:
    with disk.open() as log:
        log.append({"type": "my.own", "n": 1})
    (record,) = query(disk.path)
    assert set(record) == {"seq", "ts", "id", "type", "n", "prev", "hash"}


def test_an_event_of_a_known_type_is_completed_from_the_context_and_the_process(disk: Disk) -> None:
    with disk.open() as log:
        with context(task="deploy-7", actor={"id": "u1"}):
            log.append("exec.completed", outcome="success")
        log.append("exec.denied")
    first, second = query(disk.path)
    assert (first["task"], first["actor"], first["outcome"]) == ("deploy-7", {"id": "u1"}, "success")
    assert (second["task"], second["outcome"], second["actor"]["type"]) == ("unknown", "denied", "process")
    assert first["schema"] == second["schema"]


def test_an_event_of_the_model_is_completed_whatever_its_type(disk: Disk) -> None:
    with disk.open() as log:
        log.append(AuditEvent(type="my.own"))
    (record,) = query(disk.path)
    assert {"task", "outcome", "actor"} <= set(record)


def test_what_is_wrong_is_told_once_or_refused_or_nothing(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    with disk.open(validate="off") as log:
        log.append("permission.decision", decision="perhaps")
    assert not caplog.records
    with disk.open() as log:
        for _ in range(3):
            log.append("permission.decision", details={"decision": "perhaps"})
    told = {record.getMessage() for record in caplog.records if "permission.decision" in record.getMessage()}
    assert len(told) == len([record for record in caplog.records if "permission.decision" in record.getMessage()]) > 0
    with disk.open(validate="strict") as log:
        with pytest.raises(EventError, match=r"permission\.decision"):
            log.append("permission.decision", details={"decision": "perhaps"})
        with pytest.raises(EventError, match=r"my\.own"):
            log.append("my.own")
    assert len(list(query(disk.path))) == 4


@pytest.mark.parametrize("name", ["AuditLog", "handler"])
def test_artifacts_are_compressed_where_the_log_is_opened_so(disk: Disk, name: str) -> None:
    pytest.importorskip("zstandard" if sys.version_info < (3, 14) else "compression.zstd")
    text = "the same again and again, " * 4_000
    if name == "AuditLog":
        with disk.open(artifacts="zstd") as log:
            log.append("t", text=text)
    else:
        handler = AuditHandler(disk.path, artifacts="zstd")
        handler.handle(logging.makeLogRecord({"msg": text}))
        handler.close()
    (record,) = query(disk.path)
    (stored,) = Path(f"{disk.path}.d", "artifacts").iterdir()
    assert stored.suffix == ".zst"
    assert stored.stat().st_size < 1000
    with disk.open() as log:
        assert log.artifacts.read(record["text" if name == "AuditLog" else "message"]).decode() == text
        assert log.verify(full=True).verdict == "intact"


def test_a_strict_log_takes_what_handlers_are_given_and_lines_that_are_kept_as_text(disk: Disk, tmp_path: Path) -> None:
    handler = AuditHandler(disk.path, validate="strict")
    handler.handle(logging.makeLogRecord({"msg": "hello"}))
    handler.close()
    assert handler.lost == 0
    ended = run("append", "--validate", "strict", "--on-bad", "keep", disk.path, stdin=b"no JSON\n", cwd=tmp_path)
    assert ended.status == 0, ended.err
    assert [record["type"] for record in query(disk.path)] == ["log.record", "unparsed"]


def test_a_type_that_is_refused_is_not_told_where_it_holds_a_secret(disk: Disk) -> None:
    with disk.open(validate="strict") as log, pytest.raises(EventError, match="<redacted:github-token>") as caught:
        log.append(TOKEN)
    assert TOKEN not in str(caught.value)
