"""A handler in many processes, forked, spawned and configured for themselves: one log, and every record there once."""

from __future__ import annotations

import functools
import logging
import logging.config
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from disk import Disk, chain

from jsonl_audit import verify
from jsonl_audit.handlers import AuditHandler

pytestmark = [
    pytest.mark.usefixtures("quick_disk"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


def _logger(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger("app")  # noqa: LOG001 - it is to be gone with the test
    logger.addHandler(handler)
    return logger


def _fork(work: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:  # pragma: no cover - in the child
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - it must not go on as a second pytest
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def _ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_forked_children_log_at_once_while_other_threads_do(disk: Disk) -> None:
    handler = AuditHandler(disk.path, maxBytes=30_000, fsync="never")
    logger = _logger(handler)
    stop = threading.Event()
    counts = [0] * 3

    def work(thread: int) -> None:
        while not stop.is_set():
            logger.info("parent %d %d", thread, counts[thread])
            counts[thread] += 1

    def child(number: int) -> None:
        for n in range(20):
            logger.info("child %d %d", number, n)
        assert handler.lost == 0

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        pids = [_fork(functools.partial(child, n)) for n in range(10)]
        assert [_ended(pid) for pid in pids] == [0] * 10
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    handler.close()
    assert handler.lost == 0
    messages = Counter(r["message"] for r in chain(disk).events)
    assert messages == Counter(
        [f"child {number} {n}" for number in range(10) for n in range(20)]
        + [f"parent {thread} {n}" for thread in range(3) for n in range(counts[thread])]
    )
    assert verify(disk.path, full=True).verdict == "intact"


def test_what_waits_in_the_parent_is_not_appended_by_a_child_too(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = AuditHandler(disk.path, fsync="never")
    logger = _logger(handler)
    append = type(handler.log).append
    children = []

    def interrupted(self: Any, *args: Any) -> Any:
        if not children:
            children.append(0)
            logger.info("from within")
            children[0] = _fork(handler.close)
        return append(self, *args)

    monkeypatch.setattr(type(handler.log), "append", interrupted)
    logger.info("outer")
    assert _ended(children[0]) == 0
    handler.close()
    assert [r["message"] for r in chain(disk).events] == ["outer", "from within"]


def test_a_child_of_an_exclusive_handler_does_not_write_between_its_parents_records(disk: Disk) -> None:
    handler = AuditHandler(disk.path, shared=False, fsync="never", spill_path=disk.folder.parent)
    logger = _logger(handler)
    logger.info("parent")

    def child() -> None:
        logger.info("child")
        assert handler.lost == 0
        handler.close()

    assert _ended(_fork(child)) == 0
    logger.info("parent again")
    handler.close()
    AuditHandler(disk.path, spill_path=disk.folder.parent).close()
    assert [r["message"] for r in chain(disk).events] == ["parent", "parent again", "child"]


def _work(pickled: bytes, number: int) -> None:
    logger = _logger(pickle.loads(pickled))  # noqa: S301 - our own
    for n in range(50):
        logger.info("%d %d", number, n)


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_processes_of_every_kind_share_the_log(disk: Disk, method: str) -> None:
    handler = AuditHandler(disk.path, maxBytes=20_000, fsync="never")
    context = multiprocessing.get_context(method)
    processes = [context.Process(target=_work, args=(pickle.dumps(handler), number)) for number in range(4)]
    for process in processes:
        process.start()
    for n in range(50):
        _logger(handler).info("parent %d", n)
    for process in processes:
        process.join()
        assert process.exitcode == 0
    handler.close()
    expected = [f"{number} {n}" for number in range(4) for n in range(50)] + [f"parent {n}" for n in range(50)]
    records = chain(disk).events
    assert Counter(r["message"] for r in records) == Counter(expected)
    for number in range(4):
        assert [r["args"][1] for r in records if r["args"][0] == number and len(r["args"]) == 2] == list(range(50))


def test_a_killed_process_takes_nothing_with_it(disk: Disk) -> None:
    script = """
import logging, sys
from jsonl_audit.handlers import AuditHandler
logger = logging.getLogger("app")
logger.addHandler(AuditHandler(sys.argv[1], maxBytes=20_000))
n = 0
while True:
    logger.error("%d", n)
    print(n, flush=True)
    n += 1
"""
    handler = AuditHandler(disk.path, maxBytes=20_000)
    with subprocess.Popen([sys.executable, "-c", script, disk.path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(100)]
        process.send_signal(signal.SIGKILL)
        told += [int(line) for line in process.stdout if line.endswith("\n")]
    _logger(handler).error("goes on")
    handler.close()
    records = chain(disk).events
    numbers = [r["args"][0] for r in records if "args" in r]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) - len(told) in (0, 1)
    assert records[-1]["message"] == "goes on"


def test_a_fork_while_another_thread_configures_leaves_no_lock_behind(disk: Disk) -> None:
    config = {
        "version": 1, "disable_existing_loggers": False,
        "handlers": {"a": {"class": "jsonl_audit.handlers.AuditHandler", "filename": str(disk.path), "fsync": "never"}},
        "loggers": {"forking": {"handlers": ["a"], "level": "INFO", "propagate": False}},
    }  # fmt: skip
    logging.config.dictConfig(config)
    logger = logging.getLogger("forking")
    stop = threading.Event()

    def configures() -> None:
        while not stop.is_set():
            logging.config.dictConfig(config)

    thread = threading.Thread(target=configures)
    thread.start()
    try:
        for n in range(10):
            assert _ended(_fork(functools.partial(logger.info, "child %d", n))) == 0
    finally:
        stop.set()
        thread.join()
        for handler in logger.handlers[:]:
            logger.removeHandler(handler)
            handler.close()
    assert sorted(r["args"][0] for r in chain(disk).events) == list(range(10))
