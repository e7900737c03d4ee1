"""loguru's messages go into an audit log by their record, not by their text."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator
from typing import Any

import pytest
from disk import Calls, Disk, chain

from jsonl_audit.handlers import AuditSink

loguru: Any = pytest.importorskip("loguru", reason="loguru is not installed: it is of the extra `test`")

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture
def logger() -> Iterator[Any]:
    loguru.logger.remove()
    yield loguru.logger
    loguru.logger.remove()


def _last(disk: Disk) -> dict[str, Any]:
    return chain(disk).events[-1]


def test_a_message_is_appended_by_its_record(logger: Any, disk: Disk) -> None:
    logger.add(AuditSink(disk.path))
    logger.bind(actor={"id": "u1"}, audit_type="order.placed").success("order {} placed", 7)
    record = _last(disk)
    assert record["type"] == "order.placed"
    assert record["message"] == "order 7 placed"
    assert record["level"] == "success"
    assert record["actor"] == {"id": "u1"}
    assert record["source"]["file"] == __file__
    assert record["source"]["function"] == "test_a_message_is_appended_by_its_record"
    assert record["logger"] == __name__
    assert record["thread"]["name"] == "MainThread"
    assert record["process"]["name"] == "MainProcess"
    assert record["time"] <= record["ts"]
    logger.remove()
    with disk.open() as log:
        assert not log.notes


def test_exceptions_stand_in_members(logger: Any, disk: Disk) -> None:
    logger.add(AuditSink(disk.path))

    @logger.catch
    def fails() -> None:
        raise ValueError("bad")

    fails()
    told = _last(disk)["exception"]
    assert (told["type"], told["message"]) == ("ValueError", "bad")
    assert told["frames"][-1]["function"] == "fails"
    assert "text" not in told


@pytest.mark.parametrize("options", [{}, {"serialize": True}, {"enqueue": True}, {"format": "{message}"}])
def test_with_any_options_of_loguru(logger: Any, disk: Disk, options: dict[str, Any]) -> None:
    sink = AuditSink(disk.path, max_bytes=20_000)
    number = logger.add(sink, **options)
    for n in range(100):
        logger.bind(n=n, seq=n).info("message {}", n)
    try:
        raise ValueError("bad\nforged")
    except ValueError:
        logger.exception("failed")
    logger.complete()
    logger.remove(number)
    records = chain(disk).events
    assert [r["n"] for r in records[:-1]] == list(range(100))
    assert records[5]["extra"] == {"seq": 5}
    assert records[-1]["exception"]["message"] == "bad\nforged"
    assert ("text" in records[-1]["exception"]) == ("enqueue" in options)
    assert len(disk.sealed()) > 1
    assert sink.lost == 0


def test_flush_does_not_sync_each_message(logger: Any, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    sink = AuditSink(disk.path, fsync="never")
    logger.add(sink)
    logger.info("first")
    monkeypatch.setattr("os.fdatasync", synced.append, raising=False)
    monkeypatch.setattr("os.fsync", synced.append)
    for _ in range(10):
        logger.info("m")
    assert not synced
    sink.sync()
    assert synced


def test_tasks_are_named(logger: Any, disk: Disk) -> None:
    logger.add(AuditSink(disk.path))

    async def work() -> None:
        logger.info("m")

    async def main() -> None:
        await asyncio.create_task(work(), name="worker-7")

    asyncio.run(main())
    assert _last(disk)["thread"]["task"] == "worker-7"


def test_what_is_lost_is_counted_and_the_program_goes_on(
    logger: Any, disk: Disk, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    sink = AuditSink(disk.path, fsync="never", spill_path=disk.folder.parent)
    logger.add(sink)
    logger.info("x" * 1_000_000)
    assert _last(disk)["message"]["bytes"] == 1_000_000
    calls.fail("write", for_ever=True)
    logger.info("lost")
    assert sink.lost == 1
    assert "nor to its spill log" in capsys.readouterr().err
    calls.heal()
    logger.info("m")
    logger.remove()
    assert chain(disk).lost[0]["count"] == 1


def _work(logger: Any, n: int) -> None:
    logger.info(f"from a process {n}")  # noqa: G004 - loguru's own way comes with braces
    logger.complete()


def test_other_processes_by_loguru_s_queue(logger: Any, disk: Disk) -> None:
    context = multiprocessing.get_context("spawn")
    logger.add(AuditSink(disk.path), enqueue=True, context=context)
    processes = [context.Process(target=_work, args=(logger, n)) for n in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    logger.remove()
    assert sorted(r["message"] for r in chain(disk).events) == ["from a process 0", "from a process 1"]
