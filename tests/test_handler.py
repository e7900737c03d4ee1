"""AuditHandler takes RotatingFileHandler's place: configured, opened, closed, opened again, and never in the way."""

from __future__ import annotations

import contextlib
import copy
import errno
import gc
import io
import logging
import logging.config
import logging.handlers
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from disk import Calls, Disk, chain

from jsonl_audit import NotALogError, StorageError, storage
from jsonl_audit.handlers import AuditHandler

CLASS = "jsonl_audit.handlers.AuditHandler"


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Configurations are the process's: what a test sets is undone."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    loggers = logging.Logger.manager.loggerDict
    named = {name: getattr(logger, "disabled", False) for name, logger in loggers.items()}
    yield
    for handler in root.handlers[:]:
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in list(loggers):
        logger = logging.getLogger(name)
        for handler in logger.handlers[:] if name not in named else ():
            logger.removeHandler(handler)
            handler.close()
        logger.disabled = named.get(name, False)


def _logger(handler: logging.Handler, name: str = "app") -> logging.Logger:
    logger = logging.Logger(name)  # noqa: LOG001 - it is to be gone with the test
    logger.addHandler(handler)
    return logger


def _messages(disk: Disk) -> list[str]:
    return [r["message"] for r in chain(disk).events]


# -- configured


def test_its_signature_is_rotating_file_handlers(disk: Disk) -> None:
    theirs = logging.handlers.RotatingFileHandler.__init__.__code__
    ours = AuditHandler.__init__.__code__
    count = theirs.co_argcount
    assert ours.co_varnames[:count] == theirs.co_varnames[:count]
    assert ours.co_argcount == count


def test_a_dict_config_with_only_the_class_replaced(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(message)s"}},
        "filters": {"only": {"name": "shop"}},
        "handlers": {
            "console": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "plain"},
            "file": {
                "class": "logging.handlers.RotatingFileHandler", "filename": str(disk.path), "maxBytes": "3000",
                "backupCount": 0, "encoding": "utf8", "formatter": "plain", "level": "INFO", "filters": ["only"],
            },
        },
        "root": {"level": "DEBUG", "handlers": ["console", "file"]},
    }  # fmt: skip
    config["handlers"]["file"]["class"] = CLASS  # type: ignore[index]
    logging.config.dictConfig(config)
    for number in range(20):
        logging.getLogger("shop.cart").info("order %d", number)
    logging.getLogger("shop.cart").debug("too low")
    logging.getLogger("other").info("filtered")
    logging.shutdown()
    assert _messages(disk) == [f"order {number}" for number in range(20)]
    assert len(disk.sealed()) > 1
    assert "too low" in stream.getvalue()


def test_external_values_are_resolved(disk: Disk) -> None:
    for name, value in (("PATH_OF_LOG", str(disk.path)), ("SIZE", 2000)):
        setattr(sys, name, value)
    try:
        handler = {"class": CLASS, "filename": "ext://sys.PATH_OF_LOG", "maxBytes": "ext://sys.SIZE"}
        logging.config.dictConfig(
            {"version": 1, "handlers": {"a": handler}, "root": {"handlers": ["a"], "level": "INFO"}}
        )
    finally:
        del sys.PATH_OF_LOG, sys.SIZE  # type: ignore[attr-defined]
    made = next(handler for handler in logging.getLogger().handlers if isinstance(handler, AuditHandler))
    assert (made.baseFilename, made.maxBytes) == (str(disk.path), 2000)


def test_a_file_config_with_only_the_class_replaced(disk: Disk) -> None:
    text = f"""
[loggers]
keys=root
[handlers]
keys=file
[formatters]
keys=plain
[logger_root]
level=INFO
handlers=file
[handler_file]
class={CLASS}
level=INFO
formatter=plain
args=({str(disk.path)!r}, 'a', 1000000, 0, 'utf-8')
[formatter_plain]
format=%(message)s
"""
    logging.config.fileConfig(io.StringIO(text), disable_existing_loggers=False)
    logging.getLogger().info("by file")
    logging.shutdown()
    assert _messages(disk) == ["by file"]


def test_configured_again_and_again(disk: Disk) -> None:
    handler = {"class": CLASS, "filename": str(disk.path), "formatter": "f", "fsync": "never"}
    config = {
        "version": 1, "formatters": {"f": {}}, "handlers": {"a": handler}, "root": {"handlers": ["a"], "level": "INFO"},
        "disable_existing_loggers": False,
    }  # fmt: skip
    for number in range(3):
        logging.config.dictConfig(config)
        logging.getLogger().info("%d", number)
    assert _messages(disk) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"mode": "w"}, "mode is 'a'"),
        ({"mode": "ab"}, "mode is 'a'"),
        ({"encoding": "latin-1"}, "UTF-8"),
        ({"encoding": "no such"}, "UTF-8"),
        ({"maxBytes": "many"}, "max_bytes is a number"),
        ({"backupCount": "all"}, "backup_count is a number"),
        ({"delay": "perhaps"}, "delay is true or false"),
        ({"fsync": "sometimes"}, "fsync is"),
        ({"permissions": "rw"}, "mode is a number"),
        ({"permissions": 0o044}, "mode is permissions"),
        ({"type": "not a type"}, "type is"),
        ({"type": "audit.lost"}, "type is"),
        ({"line_limit": "12"}, "line_limit"),
        ({"sync_interval": "0"}, "sync_interval"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(disk: Disk, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        AuditHandler(disk.path, **wrong)
    assert not disk.path.exists()


def test_an_unknown_option_is_refused(disk: Disk) -> None:
    with pytest.raises(TypeError, match="when"):
        AuditHandler(disk.path, when="midnight")


def test_an_unknown_error_handler_is_refused(disk: Disk) -> None:
    with pytest.raises(LookupError):
        AuditHandler(disk.path, errors="no such")


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf_8", None])
def test_utf_8_by_any_name(disk: Disk, encoding: str | None) -> None:
    handler = AuditHandler(disk.path, encoding=encoding, errors="backslashreplace")
    _logger(handler).error("Grüße \ud83d")
    handler.close()
    assert _messages(disk) == [{"$text": "Grüße \\ud83d"}]


def test_a_file_of_another_kind_is_refused_and_left_alone(disk: Disk) -> None:
    disk.path.write_text("2026-11-21 INFO what a RotatingFileHandler wrote\n")
    with pytest.raises(NotALogError):
        AuditHandler(disk.path)
    assert disk.path.read_text() == "2026-11-21 INFO what a RotatingFileHandler wrote\n"


# -- opened and closed


def test_delay_opens_with_the_first_record(disk: Disk) -> None:
    handler = AuditHandler(disk.path, delay=True)
    assert not disk.names()
    handler.flush()
    handler.close()
    assert not disk.names()
    _logger(handler).error("m")
    assert _messages(disk) == ["m"]
    handler.close()


def test_flush_and_close_may_be_called_twice_and_in_any_order(disk: Disk) -> None:
    handler = AuditHandler(disk.path)
    logger = _logger(handler)
    for call in (handler.close, handler.flush, handler.close, handler.flush, handler.flush, handler.close):
        call()
        logger.error("m")
    handler.close()
    assert _messages(disk) == ["m"] * 6
    assert handler.lost == 0


def test_the_directory_may_change(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(disk.folder)
    handler = AuditHandler("audit.jsonl", delay=True)
    monkeypatch.chdir("/")
    _logger(handler).error("m")
    handler.close()
    assert _messages(disk) == ["m"]


def test_roll_over_seals(disk: Disk) -> None:
    handler = AuditHandler(disk.path)
    logger = _logger(handler)
    logger.error("1")
    handler.doRollover()
    logger.error("2")
    handler.close()
    assert len(disk.sealed()) == 1
    assert _messages(disk) == ["1", "2"]


def test_the_oldest_segments_go_and_the_log_says_so(disk: Disk) -> None:
    handler = AuditHandler(disk.path, maxBytes="2000", backupCount="2", fsync="never")
    logger = _logger(handler)
    for number in range(50):
        logger.error("%d", number)
    assert len(disk.sealed()) == 2
    assert handler.log is not None
    report = handler.log.verify(full=True)
    assert report.verdict == "intact"
    assert "purged-prefix" in {note.kind for note in report.notes}
    assert handler.log.tail(1)[0]["args"] == [49]
    assert any(handler.log.query(type="audit.purged"))
    handler.close()


def test_two_handlers_with_different_sizes_share_a_log(disk: Disk) -> None:
    small, large = (AuditHandler(disk.path, maxBytes=size, fsync="never") for size in (3000, 100_000))
    for number in range(20):
        _logger(small if number % 2 else large).error("%d", number)
    small.close()
    large.close()
    assert _messages(disk) == [str(number) for number in range(20)]
    assert len(disk.sealed()) > 2


def test_it_pickles_and_copies(disk: Disk) -> None:
    handler = AuditHandler(disk.path, maxBytes=5000, type="app.record", fsync="never", delay=True)
    handler.setLevel("WARNING")
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.addFilter(logging.Filter("app"))
    for again in (pickle.loads(pickle.dumps(handler)), copy.copy(handler), copy.deepcopy(handler)):  # noqa: S301
        assert (again.level, again.maxBytes, again.type) == (logging.WARNING, 5000, "app.record")
        _logger(again).error("m")
        _logger(again, "other").error("filtered")
        again.close()
    assert [r["type"] for r in chain(disk).events] == ["app.record"] * 3


def test_a_process_of_its_own_gets_it_by_pickle(disk: Disk) -> None:
    handler = AuditHandler(disk.path, delay=True)
    script = (
        "import pickle, sys, logging\n"
        "handler = pickle.load(sys.stdin.buffer)\n"
        "handler.handle(logging.makeLogRecord({'msg': 'm', 'name': 'n'}))"
    )
    subprocess.run([sys.executable, "-c", script], input=pickle.dumps(handler), check=True)
    assert _messages(disk) == ["m"]


def test_behind_a_queue(disk: Disk) -> None:
    waiting: queue.Queue[Any] = queue.Queue()
    handler = AuditHandler(disk.path, fsync="never")
    listener = logging.handlers.QueueListener(waiting, handler, respect_handler_level=True)
    logger = _logger(logging.handlers.QueueHandler(waiting))
    listener.start()
    try:
        raise ValueError("bad")
    except ValueError:
        logger.exception("failed for %s", "u1", extra={"user": "u1"}, stack_info=True)
    for number in range(500):
        logger.info("%d", number)
    listener.stop()
    handler.close()
    records = chain(disk).events
    assert len(records) == 501
    assert records[0]["message"].startswith("failed for u1")
    assert "ValueError: bad" in records[0]["message"]
    assert records[0]["user"] == "u1"
    assert records[0]["thread"]["id"] == threading.get_ident()
    assert records[0]["source"]["file"] == __file__


def test_filters_may_change_a_record(disk: Disk) -> None:
    class Marks(logging.Filter):
        def filter(self, record: logging.LogRecord) -> Any:
            if sys.version_info >= (3, 12):
                record = copy.copy(record)
            record.marked = "yes"
            return record if sys.version_info >= (3, 12) else True

    handler = AuditHandler(disk.path)
    handler.addFilter(Marks())
    _logger(handler).error("m")
    handler.close()
    assert chain(disk).events[0]["marked"] == "yes"


def test_memory_handlers_hand_on_what_they_hold(disk: Disk) -> None:
    handler = AuditHandler(disk.path)
    memory = logging.handlers.MemoryHandler(100, target=handler)
    logger = _logger(memory)
    logger.info("1")
    logger.error("2")
    memory.close()
    handler.close()
    assert _messages(disk) == ["1", "2"]


# -- never in the way


def test_what_the_log_says_of_itself_does_not_go_into_it(disk: Disk) -> None:
    handler = AuditHandler(disk.path)
    for name in ("jsonl_audit", "jsonl_audit.spill"):
        _logger(handler, name).error("about the log")
    _logger(handler, "jsonl_auditor").error("another's")
    handler.close()
    assert _messages(disk) == ["another's"]


def test_threads_keep_their_order_and_lose_nothing(disk: Disk) -> None:
    handler = AuditHandler(disk.path, maxBytes=50_000, fsync="never")
    logger = _logger(handler)

    def work(thread: int) -> None:
        for number in range(100):
            logger.info("%d", number, extra={"worker": thread})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    handler.close()
    records = chain(disk).events
    for number in range(10):
        assert [r["args"] for r in records if r["worker"] == number] == [[n] for n in range(100)]


def test_closed_by_another_thread_all_the_time(disk: Disk) -> None:
    handler = AuditHandler(disk.path, fsync="never")
    logger = _logger(handler)
    done = threading.Event()

    def closes() -> None:
        while not done.is_set():
            handler.close()
            handler.flush()

    closer = threading.Thread(target=closes)
    closer.start()
    try:
        for number in range(300):
            logger.info("%d", number)
    finally:
        done.set()
        closer.join()
    handler.close()
    assert handler.lost == 0
    assert _messages(disk) == [str(number) for number in range(300)]


def test_a_signal_in_the_middle_of_an_append(disk: Disk) -> None:
    handler = AuditHandler(disk.path, fsync="never")
    logger = _logger(handler)
    count = [0]

    def on_signal(*_: object) -> None:
        count[0] += 1
        logger.warning("signal %d", count[0])

    before = signal.signal(signal.SIGALRM, on_signal)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.004)  # slower than an append, also on a busy machine
    try:
        for number in range(3000):
            logger.info("%d", number)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    handler.close()
    assert handler.lost == 0
    messages = _messages(disk)
    assert [m for m in messages if not m.startswith("signal")] == [str(number) for number in range(3000)]
    assert sorted(m for m in messages if m.startswith("signal")) == sorted(
        f"signal {number + 1}" for number in range(count[0])
    )


def test_within_an_append_a_record_waits_and_then_is_there(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = AuditHandler(disk.path, fsync="never")
    other = AuditHandler(disk.folder / "other.jsonl", fsync="never")
    logger, second = _logger(handler), _logger(other)
    append = type(handler.log).append
    inside = []

    def interrupted(self: Any, *args: Any) -> Any:
        if not inside:
            inside.append(1)
            logger.info("from within")
            second.info("from within, elsewhere")
            handler.flush()
            handler.close()
            assert chain(disk).events == []
        return append(self, *args)

    monkeypatch.setattr(type(handler.log), "append", interrupted)
    logger.info("outer")
    assert _messages(disk) == ["outer", "from within"]
    handler.close()
    other.close()
    assert _messages(Disk(disk.folder, "other.jsonl")) == ["from within, elsewhere"]


def test_ctrl_c_within_an_append_leaves_a_handler_that_works(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = AuditHandler(disk.path, fsync="never")
    logger = _logger(handler)

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(handler.log), "append", interrupted)
        with pytest.raises(KeyboardInterrupt):
            logger.info("1")
    logger.info("2")
    from jsonl_audit.handlers import outlet

    outlet._within.add(threading.get_ident())  # as if it had come between two steps
    logger.info("3")
    handler.close()
    assert _messages(disk) == ["2", "3"]


def test_destructors_that_log(disk: Disk) -> None:
    handler = AuditHandler(disk.path, fsync="never")
    logger = _logger(handler)

    class Dies:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            logger.info("gone")

    before = gc.get_threshold()
    gc.set_threshold(20)
    try:
        for number in range(300):
            Dies()
            logger.info("%d", number, extra={"made": [Dies().me is None]})
    finally:
        gc.set_threshold(*before)
    gc.collect()
    handler.close()
    assert handler.lost == 0
    assert sorted(_messages(disk)) == sorted([*map(str, range(300)), *["gone"] * 600])


# -- when writing fails


def test_what_can_be_kept_nowhere_goes_through_handle_error_and_is_counted(
    disk: Disk, calls: Calls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = AuditHandler(disk.path, fsync="never", spill_path=disk.folder.parent)
    logger = _logger(handler)
    calls.fail("write", for_ever=True)
    logger.error("to be lost: %s", "u1")
    assert handler.lost == 1
    said = capsys.readouterr().err
    assert "--- Logging error ---" in said
    assert "nor to its spill log" in said
    assert "to be lost" in said
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger.error("lost too")
    assert handler.lost == 2
    assert capsys.readouterr().err == ""
    calls.heal()
    handler.close()
    assert [lost["count"] for lost in chain(disk).lost] == [2]


def test_only_who_asks_for_it_gets_the_error(disk: Disk, calls: Calls) -> None:
    handler = AuditHandler(disk.path, on_error="raise", fsync="never")
    calls.fail("write", error=errno.ENOSPC, for_ever=True)
    with pytest.raises(StorageError):
        _logger(handler).error("m")
    calls.heal()
    _logger(handler).error("m")
    handler.close()
    assert _messages(disk) == ["m"]


def test_a_handler_without_a_disk_holds_what_comes_until_there_is_one(disk: Disk) -> None:
    disk.lock.mkdir()  # in its place nothing can be opened
    handler = AuditHandler(disk.path, fsync="never", spill_path=disk.folder.parent)
    logger = _logger(handler)
    for number in range(3):
        logger.error("%d: %s", number, "x" * 40_000)
    assert not disk.path.exists()
    handler.flush()
    disk.lock.rmdir()
    handler.flush()
    logger.error("3: m")
    handler.close()
    assert handler.lost == 0
    records = chain(disk).records
    assert [r["args"][0] for r in records if "args" in r] == [0, 1, 2]
    assert all("held" in r for r in records if "args" in r)
    assert [r["type"] for r in records if r["type"].startswith("audit.")] == ["audit.segment", "audit.spilled"]
    assert records[-1]["message"] == "3: m"


def test_threads_log_while_the_disk_comes_and_goes(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jsonl_audit.handlers.outlet.TRY_EVERY", 0.0)
    handler = AuditHandler(disk.path, fsync="never", spill_path=disk.folder.parent, delay=True)
    logger = _logger(handler)
    began, done = threading.Barrier(5), threading.Event()

    def work(thread: int) -> None:
        began.wait()
        for number in range(60):
            logger.info("%d", number, extra={"worker": thread})

    def comes_and_goes() -> None:
        while not done.is_set():
            handler.close()
            if disk.lock.is_dir():
                disk.lock.rmdir()
            else:
                with contextlib.suppress(FileExistsError):  # the log is open again
                    disk.lock.mkdir()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    disk.lock.mkdir()
    for thread in threads:
        thread.start()
    other = threading.Thread(target=comes_and_goes)
    began.wait()
    other.start()
    for thread in threads:
        thread.join()
    done.set()
    other.join()
    if disk.lock.is_dir():
        disk.lock.rmdir()
    handler.flush()
    handler.close()
    assert handler.lost == 0
    assert sorted((r["worker"], r["args"][0]) for r in chain(disk).events) == [
        (thread, number) for thread in range(4) for number in range(60)
    ]


def test_what_a_process_without_a_disk_held_is_brought_in_by_the_next(disk: Disk) -> None:
    script = """
import logging, os, sys
from jsonl_audit.handlers import AuditHandler
logger = logging.getLogger("app")
logger.addHandler(AuditHandler(sys.argv[1], spill_path=sys.argv[2]))
logger.error("held")
os._exit(0)
"""
    disk.lock.mkdir()
    subprocess.run([sys.executable, "-c", script, disk.path, disk.folder.parent], check=True, stderr=subprocess.DEVNULL)
    disk.lock.rmdir()
    AuditHandler(disk.path, spill_path=disk.folder.parent).close()
    assert _messages(disk) == ["held"]


def test_dropped_without_a_disk_is_counted_and_told(disk: Disk, capsys: pytest.CaptureFixture[str]) -> None:
    disk.lock.mkdir()
    handler = AuditHandler(disk.path, fsync="never", on_error="drop", delay=True)
    logger = _logger(handler)
    for _ in range(3):
        logger.error("m")
    assert handler.lost == 3
    disk.lock.rmdir()
    handler.close()
    logger.error("m")
    handler.close()
    assert [lost["count"] for lost in chain(disk).lost] == [3]
    assert capsys.readouterr().err == ""


def test_neither_a_disk_nor_a_place_to_hold_anything(disk: Disk, capsys: pytest.CaptureFixture[str]) -> None:
    disk.lock.mkdir()
    nowhere = disk.folder.parent / "file"
    nowhere.write_text("")
    handler = AuditHandler(disk.path, fsync="never", spill_path=nowhere)
    _logger(handler).error("lost")
    assert handler.lost == 1
    assert "nor to its spill log" in capsys.readouterr().err
    disk.lock.rmdir()
    handler.flush()
    _logger(handler).error("m")
    handler.close()
    assert [lost["count"] for lost in chain(disk).lost] == [1]


def test_who_wants_errors_raised_does_not_come_up_without_a_disk(disk: Disk) -> None:
    disk.lock.mkdir()
    with pytest.raises(StorageError):
        AuditHandler(disk.path, on_error="raise")


def test_blocking_waits_for_the_disk(disk: Disk, capsys: pytest.CaptureFixture[str]) -> None:
    disk.lock.mkdir()
    handler = AuditHandler(disk.path, fsync="never", on_error="block", error_timeout="0.03")
    _logger(handler).error("given up")
    assert handler.lost == 1
    assert "Logging error" in capsys.readouterr().err
    handler.close()
    handler = AuditHandler(disk.path, fsync="never", on_error="block", error_timeout=None)
    waiting = threading.Thread(target=_logger(handler).error, args=("m",))
    waiting.start()
    disk.lock.rmdir()
    waiting.join()
    handler.close()
    assert _messages(disk) == ["m"]


def test_a_full_disk_while_running_holds_what_comes(disk: Disk, calls: Calls) -> None:
    handler = AuditHandler(disk.path, fsync="never", spill_path=disk.folder.parent / "spill")
    logger = _logger(handler)
    logger.error("0")
    calls.fail("write", error=errno.ENOSPC, for_ever=True, about=str(disk.path))
    for number in range(1, 50):
        logger.error("%d", number)
    calls.heal()
    handler.close()
    assert handler.lost == 0
    assert _messages(disk) == [str(number) for number in range(50)]


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """A dead handler of another test, collected in a thread that is waited for, would want the lock of `logging`."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_closing_under_the_lock_of_logging_waits_for_no_thread_that_wants_it(disk: Disk, calls: Calls) -> None:
    handler = AuditHandler(disk.path, fsync="never", spill_path=disk.folder.parent / "spill")
    calls.fail("write", error=errno.ENOSPC, for_ever=True, about=str(disk.path))
    _logger(handler).error("held")
    with _no_collection(), logging._lock:  # type: ignore[attr-defined] - as dictConfig does it
        calls.heal()
        while b"audit.spilled" not in disk.path.read_bytes():  # a thread of the log's brings it in, and will say so
            threading.Event().wait(0.01)
        handler.close()
        again = AuditHandler(disk.path, fsync="never", spill_path=disk.folder.parent / "spill")
    _logger(again).error("m")
    again.close()
    assert _messages(disk) == ["held", "m"]


def test_configuring_waits_for_other_processes_and_not_for_itself(disk: Disk) -> None:
    """A wait for another process needs a thread, and a thread must not need what configuring holds."""
    disk.make(1)
    script = """
import logging, logging.config, sys
handler = {"class": "jsonl_audit.handlers.AuditHandler", "filename": sys.argv[1], "on_error": "raise"}
print("configuring", flush=True)
logging.config.dictConfig({"version": 1, "handlers": {"a": handler}, "root": {"handlers": ["a"]}})
logging.getLogger().error("m")
"""
    fd = storage.open_lock(str(disk.lock))
    assert storage.lock(fd)
    with subprocess.Popen([sys.executable, "-c", script, disk.path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        while not _waits_for_a_lock(process.pid) and process.poll() is None:
            threading.Event().wait(0.01)
        storage.close(fd)
        assert process.wait(60) == 0
    assert chain(disk).events[-1]["message"] == "m"


def _waits_for_a_lock(pid: int) -> bool:
    try:
        return any(f" {pid} " in line and "->" in line for line in Path("/proc/locks").read_text().splitlines())
    except OSError:  # not Linux: the wait is not seen
        return True


def test_what_makes_no_sense_is_refused_before_the_first_record_too(disk: Disk) -> None:
    with pytest.raises(ValueError, match="fsync"):
        AuditHandler(disk.path, delay=True, fsync="sometimes")
    with pytest.raises(ValueError, match="on_error"):
        AuditHandler(disk.path, delay=True, on_error="hope")
    with pytest.raises(TypeError, match="when"):
        AuditHandler(disk.path, delay=True, when="midnight")


# -- at the end


_AT_EXIT = """
import atexit, logging, sys, threading
{before}
from jsonl_audit.handlers import AuditHandler
logger = logging.getLogger("app")
logger.setLevel("INFO")
def last():
    for number in range(50):
        logger.info("at exit %d", number)
atexit.register(last)
handler = AuditHandler(sys.argv[1], fsync="{fsync}", shared={shared})
logger.addHandler(handler)
logger.info("first")
def work(thread):
    for number in range(20):
        logger.info("%d %d", thread, number)
for number in range(100):
    threading.Thread(target=work, args=(number,)).start()
"""


@pytest.mark.parametrize("fsync", ["interval", "always", "never"])
@pytest.mark.parametrize("shared", [True, False])
def test_threads_and_exit_handlers_at_the_interpreters_end(disk: Disk, fsync: str, shared: bool) -> None:
    before = "import jsonl_audit.writer.registry" if shared else ""  # the order of importing is that of exit handlers
    done = subprocess.run(
        [sys.executable, "-c", _AT_EXIT.format(before=before, fsync=fsync, shared=shared), disk.path],
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.stderr == ""
    messages = _messages(disk)
    assert sum(m.startswith("at exit") for m in messages) == 50
    assert sum(m[0].isdigit() for m in messages) == 2000
    assert done.returncode == 0
    with disk.open() as log:
        assert not log.notes
        assert log.verify(full=True).verdict == "intact"


def test_destructors_that_run_last_of_all_cannot_log_and_say_so(disk: Disk) -> None:
    script = """
import logging, sys
from jsonl_audit.handlers import AuditHandler
logger = logging.getLogger("app")
logger.addHandler(AuditHandler(sys.argv[1]))
class Dies:
    def __del__(self):
        logger.error("gone")
kept = Dies()
logger.error("first")
"""
    done = subprocess.run(
        [sys.executable, "-c", script, disk.path], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "gone" in _messages(disk) or "Logging error" in done.stderr
    assert _messages(disk)[0] == "first"


@pytest.mark.exhaustive
def test_ten_thousand_records_of_a_thousand_threads_at_the_interpreters_end(disk: Disk) -> None:
    script = """
import logging, sys, threading
from jsonl_audit.handlers import AuditHandler
logger = logging.getLogger("app")
logger.addHandler(AuditHandler(sys.argv[1], maxBytes=1_000_000))
threading.stack_size(128 * 1024)
go = threading.Event()
def work(number):
    go.wait()
    for n in range(10):
        logger.error("%d", 10 * number + n)
for number in range(1000):
    try:
        threading.Thread(target=work, args=(number,)).start()
    except RuntimeError:  # so many at once are not allowed here
        go.set()
        work(number)
go.set()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, disk.path], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200
    )
    assert done.stderr == ""
    assert sorted(r["args"][0] for r in chain(disk).events) == list(range(10_000))


def test_leaving_at_once_loses_nothing(disk: Disk) -> None:
    script = """
import logging, os, sys
from jsonl_audit.handlers import AuditHandler
logger = logging.getLogger("app")
logger.addHandler(AuditHandler(sys.argv[1]))
for number in range(100):
    logger.error("%d", number)
os._exit(3)
"""
    done = subprocess.run([sys.executable, "-c", script, disk.path], stdin=subprocess.DEVNULL)
    assert done.returncode == 3
    assert _messages(disk) == [str(number) for number in range(100)]


def test_importing_handlers_loads_neither_structlog_nor_loguru(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom jsonl_audit.handlers import AuditHandler, AuditLoggerFactory, AuditSink\nprint(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    loaded = set(run.stdout.split())
    assert not loaded & {"structlog", "loguru", "asyncio", "multiprocessing", "portalocker"}
    assert os.listdir(tmp_path) == []


# -- what a configuration may get wrong


@pytest.mark.parametrize("delay", [False, True])
def test_a_path_where_something_else_stands_is_refused_at_once(tmp_path: Path, delay: bool) -> None:
    text = tmp_path / "app.log"
    text.write_text("2026-01-01 started\n")
    with pytest.raises(NotALogError):
        AuditHandler(text, delay=delay)
    with pytest.raises(IsADirectoryError):
        AuditHandler(tmp_path, delay=delay)
    if os.path.exists("/dev/full"):
        with pytest.raises(NotALogError):
            AuditHandler("/dev/full", delay=delay)
    assert text.read_text() == "2026-01-01 started\n"


def test_the_other_libraries_objects_refuse_it_as_well(tmp_path: Path) -> None:
    from jsonl_audit.handlers import AuditLoggerFactory, AuditSink

    text = tmp_path / "app.log"
    text.write_text("2026-01-01 started\n")
    for kind in (AuditLoggerFactory, AuditSink):
        with pytest.raises(NotALogError):
            kind(text)
        with pytest.raises(ValueError, match="type"):
            kind(tmp_path / "audit.jsonl", type="no type")
        with pytest.raises(ValueError, match="backup_count"):
            kind(tmp_path / "audit.jsonl", backup_count=-1)


@pytest.mark.parametrize("delay", [False, True])
def test_wrong_options_have_the_same_words_whenever_the_log_is_opened(disk: Disk, delay: bool) -> None:
    with pytest.raises(TypeError, match="'fsynk' is no option"):
        AuditHandler(disk.path, delay=delay, fsynk="always")
    with pytest.raises(ValueError, match="redact"):
        AuditHandler(disk.path, delay=delay, redact="some")
    AuditHandler(disk.path, maxBytes=1e7, backupCount=-1, delay=delay).close()  # type: ignore[arg-type]


def test_what_the_log_says_of_itself_is_heard_where_it_is_the_only_handler(disk: Disk) -> None:
    script = """
import logging, sys
from jsonl_audit.handlers import AuditHandler
logging.basicConfig(handlers=[AuditHandler(sys.argv[1], delay=True, spill_path=sys.argv[2])])
logging.error("held")
"""
    disk.lock.mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", script, disk.path, disk.folder.parent], check=True, capture_output=True, text=True
    )
    assert "cannot be opened" in ended.stderr


def test_events_that_find_no_place_at_all_leave_no_file(disk: Disk, calls: Calls, tmp_path: Path) -> None:
    """Neither the log nor a spill log can be opened."""
    handler = AuditHandler(disk.path, delay=True, spill_path=tmp_path / "spill")
    logger = _logger(handler)
    disk.lock.mkdir()
    calls.fail("write", error=errno.ENOSPC, for_ever=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging, "raiseExceptions", False)
        for _ in range(10):
            logger.error("m")
    assert handler.lost == 10
    assert [path for path in (tmp_path / "spill").rglob("*") if path.is_file()] == []
    calls.heal()
    disk.lock.rmdir()
    handler.close()
