"""What happens to an event that cannot be written: raise, block, drop; and the records that say what was lost."""

from __future__ import annotations

import errno
import gc
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from disk import Calls, Disk, chain, until_well

from jsonl_audit import ClosedError, DroppedReceipt, EventError, LockedError, Receipt, StorageError, WriteError, verify
from jsonl_audit.writer import policy, transient

pytestmark = pytest.mark.usefixtures("quick_disk")

NO_SPACE = errno.ENOSPC
TRANSIENT = sorted(transient.TRANSIENT)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "TRY_EVERY", 0.001)
    monkeypatch.setattr(policy, "FIRST_PAUSE", 0.0001)
    monkeypatch.setattr(policy, "LONGEST_PAUSE", 0.001)


def control(disk: Disk, kind: str) -> list[dict[str, Any]]:
    """The details of the engine's own records of one type."""
    return [record["details"] for record in chain(disk).records if record["type"] == kind]


def numbers(disk: Disk) -> list[int]:
    return [record["n"] for record in chain(disk).events]


# -- errors that are over in a moment


@pytest.mark.parametrize("mode", ["raise", "block", "drop", "spill"])
@pytest.mark.parametrize("error", TRANSIENT, ids=errno.errorcode.get)
def test_what_is_over_in_a_moment_is_tried_again(disk: Disk, calls: Calls, mode: str, error: int) -> None:
    with disk.open(on_error=mode) as log:
        log.append("t", n=0)
        calls.fail("write", error=error)
        receipt = log.append("t", n=1)
        assert type(receipt) is Receipt
        assert receipt.recorded
        assert not log._policy.trouble
    assert numbers(disk) == [0, 1]
    assert not control(disk, "audit.lost")


@pytest.mark.parametrize("error", [NO_SPACE, errno.EIO, errno.EDQUOT, errno.EACCES, errno.EROFS])
def test_what_has_to_change_first_is_told_at_once(disk: Disk, calls: Calls, error: int) -> None:
    with disk.open() as log:
        calls.fail("write", error=error)
        calls.clear()
        with pytest.raises(WriteError) as caught:
            log.append("t", n=1)
        assert caught.value.errno == error
        assert calls.count("write") == 1
        calls.heal()


def test_after_some_tries_it_counts_as_any_other(disk: Disk, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "PAUSES", (0.0, 0.0, 0.0))
    with disk.open() as log:
        calls.fail("write", error=errno.EAGAIN, for_ever=True)
        with pytest.raises(WriteError):
            log.append("t", n=1)
        calls.heal()


@pytest.mark.parametrize("done", [0, 1, 100, -1], ids=["nothing", "a byte", "a piece", "all of it"])
@pytest.mark.parametrize("how", ["append", "append_many", "append_group"])
def test_trying_again_never_doubles_an_event(disk: Disk, monkeypatch: pytest.MonkeyPatch, done: int, how: str) -> None:
    real, left = os.write, [1]

    def write(fd: int, data: bytes) -> int:
        if left[0]:
            left[0] -= 1
            real(fd, bytes(data)[: done if done >= 0 else len(data)])
            raise OSError(errno.EAGAIN, "made to fail")
        return real(fd, data)

    with disk.open() as log:
        monkeypatch.setattr(os, "write", write)
        if how == "append":
            receipts = [log.append("t", n=0)]
        else:
            receipts = getattr(log, how)([{"n": n} for n in range(3)])
    found = chain(disk)
    assert [record["n"] for record in found.events] == list(range(len(receipts)))
    assert [record["hash"] for record in found.events] == [receipt.hash for receipt in receipts]
    assert [record["id"] for record in found.events] == [receipt.id for receipt in receipts]


def test_of_a_group_that_a_failed_write_cut_the_first_are_recorded_once(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = os.write, [1]

    def write(fd: int, data: bytes) -> int:
        if left[0]:
            left[0] -= 1
            real(fd, bytes(data)[: bytes(data).index(b"\n") + 20])
            raise OSError(errno.EAGAIN, "made to fail")
        return real(fd, data)

    with disk.open() as log:
        monkeypatch.setattr(os, "write", write)
        receipts = log.append_group([{"n": n} for n in range(3)])
    assert numbers(disk) == [0, 1, 2]
    assert [record["hash"] for record in chain(disk).events] == [receipt.hash for receipt in receipts]


def test_an_error_says_which_events_are_recorded_all_the_same(disk: Disk, calls: Calls) -> None:
    with disk.open(max_bytes=1500) as log:
        log.append("t", n=-1)
        calls.fail("write", nth=3, error=NO_SPACE)  # the first segment, the header of the next, then this
        with pytest.raises(StorageError) as caught:
            log.append_group([{"n": n, "x": "x" * 200} for n in range(6)])
        calls.heal()
        done = [receipt.hash for receipt in caught.value.done]
        log.append("t", n=99)
    hashes = [record["hash"] for record in chain(disk).events]
    assert done
    assert hashes[1:-1] == done


# -- raise


def test_fail_closed_is_the_default_and_leaves_nothing_behind(disk: Disk, calls: Calls) -> None:
    with disk.open() as log:
        calls.fail("write", error=NO_SPACE)
        with pytest.raises(WriteError):
            log.append("t", n=1)
        calls.heal()
        log.append("t", n=2)
    assert numbers(disk) == [2]
    assert {record["type"] for record in chain(disk).records} == {"audit.segment", "t"}


@pytest.mark.parametrize("mode", ["raise", "block", "drop", "spill"])
def test_a_mistake_of_the_program_is_always_its_own(disk: Disk, calls: Calls, mode: str) -> None:
    log = disk.open(on_error=mode, artifacts=False)
    with pytest.raises(EventError):
        log.append("audit.mine")
    with pytest.raises(EventError):
        log.append("t", text="x" * 40_000)
    log.close()
    for use in (lambda: log.append("t"), lambda: log.append_many([{}, {}]), log.flush):
        with pytest.raises(ClosedError):
            use()
    log.close()


# -- block


def test_block_waits_until_it_works(disk: Disk, calls: Calls) -> None:
    with disk.open(on_error="block") as log:
        left = [20]

        def before(name: str, _: Any) -> None:
            if name == "write" and left[0]:
                left[0] -= 1
                raise OSError(NO_SPACE, "made to fail")

        calls.before = before
        assert log.append("t", n=1).recorded
        assert len(log.append_many([{"n": 2}, {"n": 3}])) == 2
        assert left == [0]
        until_well(log)
    assert numbers(disk) == [1, 2, 3]


def test_block_gives_up_in_the_end_and_the_log_says_so(disk: Disk, calls: Calls) -> None:
    with disk.open(on_error="block", error_timeout=0.01) as log:
        calls.fail("write", error=NO_SPACE, for_ever=True)
        with pytest.raises(WriteError, match="No space"):
            log.append("t", n=1)
        calls.heal()
        log.append("t", n=2)
    assert numbers(disk) == [2]
    [lost] = control(disk, "audit.lost")
    assert (lost["why"], lost["count"], lost["errno"]) == ("timed-out", 1, NO_SPACE)
    assert "No space" in lost["cause"]
    assert lost["first"] <= lost["last"]


def test_who_waited_long_is_told_in_the_log(disk: Disk, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "DELAYED_FROM", 0.0)
    with disk.open(on_error="block", error_timeout=None) as log:
        calls.fail("write", error=NO_SPACE)
        log.append("t", n=1)
    [delayed] = control(disk, "audit.delayed")
    assert (delayed["count"], delayed["why"], delayed["errno"]) == (1, "waited", NO_SPACE)
    assert delayed["longest"] >= 0


def test_blocked_threads_keep_their_order(disk: Disk, calls: Calls) -> None:
    log = disk.open(on_error="block", error_timeout=None)
    calls.fail("write", error=NO_SPACE, for_ever=True)
    threads = []
    for number in range(5):
        thread = threading.Thread(target=log.append, args=("t",), kwargs={"n": number})
        threads.append(thread)
        thread.start()
        while thread.ident not in log._policy._places:
            time.sleep(0.001)
    calls.heal()
    for thread in threads:
        thread.join()
    log.close()
    assert numbers(disk) == [0, 1, 2, 3, 4]


def test_those_who_wait_behind_another_give_up_in_time_too(disk: Disk, calls: Calls) -> None:
    log = disk.open(on_error="block", error_timeout=0.2)
    calls.fail("write", error=NO_SPACE, for_ever=True)
    errors: list[Exception] = []

    def work() -> None:
        try:
            log.append("t")
        except StorageError as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    calls.heal()
    log.close()
    assert len(errors) == 10
    assert sum(lost["count"] for lost in control(disk, "audit.lost")) == 10


def test_those_who_wait_behind_another_are_told_what_stands_in_the_way(disk: Disk) -> None:
    told: list[BaseException] = []

    def append() -> None:
        with pytest.raises(LockedError) as caught:
            log.append("t")
        told.append(caught.value)

    options: Any = {"shared": True, "lock_timeout": 0.1}
    with disk.open(**options) as other, disk.open(on_error="block", error_timeout=0.05, **options) as log:
        lock = other._appender._tip.lock
        lock.enter(0.0, 0o600, look=False)
        threads = [threading.Thread(target=append) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lock.leave()
    assert len(told) == 5
    assert all("is writing to this log" in str(error) for error in told)


def test_closing_ends_the_waiting(disk: Disk, calls: Calls) -> None:
    log = disk.open(on_error="block", error_timeout=None)
    calls.fail("write", error=NO_SPACE, for_ever=True)
    errors: list[Exception] = []

    def work() -> None:
        try:
            log.append("t", n=1)
        except (StorageError, ClosedError) as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while thread.ident not in log._policy._places:
        time.sleep(0.001)
    log.close()
    thread.join()
    calls.heal()
    assert len(errors) == 1


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no such signal here")
def test_a_signal_handler_that_appends_while_its_thread_waits_is_told(disk: Disk, calls: Calls) -> None:
    log = disk.open(on_error="block", error_timeout=None)
    told: list[Exception] = []

    def handler(*_: object) -> None:
        try:
            log.append("t", n="in the handler")
        except WriteError as error:
            told.append(error)
        calls.heal()

    before = signal.signal(signal.SIGALRM, handler)
    try:
        calls.fail("write", error=NO_SPACE, for_ever=True)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        log.append("t", n=1)
    finally:
        signal.signal(signal.SIGALRM, before)
    log.close()
    assert len(told) == 1
    assert "signal handler" in str(told[0])
    assert numbers(disk) == [1]


def test_ctrl_c_ends_the_waiting_and_leaves_a_log_that_works(disk: Disk, calls: Calls) -> None:
    log = disk.open(on_error="block", error_timeout=None)

    def handler(*_: object) -> None:
        calls.heal()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handler)
    try:
        calls.fail("write", error=NO_SPACE, for_ever=True)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            log.append("t", n=1)
    finally:
        signal.signal(signal.SIGALRM, before)
    log.append("t", n=2)
    log.close()
    assert numbers(disk)[-1] == 2


# -- drop


@pytest.fixture
def dropping(disk: Disk, calls: Calls) -> Iterator[Any]:
    log = disk.open(on_error="drop")
    log.append("t", n=0)
    calls.fail("write", error=NO_SPACE, for_ever=True)
    yield log
    log.close()


def test_dropped_events_are_counted_and_told(disk: Disk, calls: Calls, dropping: Any) -> None:
    log = dropping
    receipt = log.append("t", n=1)
    assert isinstance(receipt, DroppedReceipt)
    assert (receipt.seq, receipt.hash, receipt.recorded) == (0, "", False)
    assert [type(each) for each in log.append_many([{"n": 2}, {"n": 3}])] == [DroppedReceipt] * 2
    calls.heal()
    log.flush()
    log.append("t", n=4)
    log.close()
    assert numbers(disk) == [0, 4]
    [lost] = control(disk, "audit.lost")
    assert (lost["why"], lost["count"], lost["errno"]) == ("dropped", 3, NO_SPACE)
    kinds = [record["type"] for record in chain(disk).records]
    assert kinds == ["audit.segment", "t", "audit.lost", "t"]  # where they are missing, the log says so
    assert verify(disk.path, full=True).verdict == "intact"


def test_an_idle_program_tells_it_too(disk: Disk, calls: Calls, dropping: Any) -> None:
    dropping.append("t", n=1)
    calls.heal()
    until_well(dropping)
    assert control(disk, "audit.lost")[0]["count"] == 1


def test_a_dropped_event_whose_write_had_been_done_is_not_counted_as_lost(disk: Disk, calls: Calls) -> None:
    with disk.open(on_error="drop") as log:

        def after(name: str, _: Any, __: Any) -> None:
            if name == "write":
                calls.after = None
                raise OSError(errno.EIO, "done, and said to have failed")

        calls.after = after
        assert isinstance(log.append("t", n=1), DroppedReceipt)
        log.flush()
    assert numbers(disk) == [1]
    assert not control(disk, "audit.lost")


def test_what_cannot_be_told_in_the_log_is_told_to_the_logger(
    calls: Calls, dropping: Any, caplog: pytest.LogCaptureFixture
) -> None:
    dropping.append("t", n=1)
    with caplog.at_level(logging.WARNING, "jsonl_audit"):
        dropping.close()
    calls.heal()
    assert "could not be told in the log: audit.lost" in caplog.text
    assert '"count":1' in caplog.text


def test_a_log_that_nobody_closed_tells_it_all_the_same(
    disk: Disk, calls: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    log = disk.open(on_error="drop")
    calls.fail("write", error=NO_SPACE, for_ever=True)
    log.append("t", n=1)
    calls.heal()
    del log
    gc.collect()  # which may have closed the file before
    assert '"count":1' in (b"".join(disk.lines()) + caplog.text.encode()).decode()


def test_a_handler_of_the_logger_may_append_to_the_same_log(disk: Disk, calls: Calls) -> None:
    log = disk.open(on_error="drop")

    class Back(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            log.append("log.record", message=record.getMessage())

    handler = Back()
    logging.getLogger("jsonl_audit").addHandler(handler)
    try:
        calls.fail("write", error=NO_SPACE, for_ever=True)
        log.append("t", n=1)
        calls.heal()
        log.flush()
        log.close()
    finally:
        logging.getLogger("jsonl_audit").removeHandler(handler)
    assert verify(disk.path).ok


# -- fork


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("mode", ["drop", "spill", "block"])
def test_a_child_has_no_part_in_its_parents_trouble(disk: Disk, calls: Calls, mode: str) -> None:
    options = {"spill_path": disk.folder.parent / "elsewhere"} if mode == "spill" else {}
    options |= {"error_timeout": 0.01} if mode == "block" else {}
    log = disk.open(on_error=mode, shared=True, **options)
    calls.fail("write", error=NO_SPACE, about=str(disk.path), for_ever=True)
    try:
        log.append("t", n=1)
    except StorageError:
        assert mode == "block"
    child = os.fork()
    if child == 0:  # pragma: no cover - in the child
        code = 1
        try:
            calls.heal()
            code = 0 if not log._policy.trouble and log.append("t", n=2).recorded else 2
            log.close()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    calls.heal()
    log.close()
    assert numbers(disk) == ([2, 1] if mode == "spill" else [2])
    told = control(disk, "audit.spilled" if mode == "spill" else "audit.lost")
    assert [each["count"] for each in told] == [1]
