"""A verifier beside a writer that appends, rotates and purges as fast as it can raises no false alarm."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from logs import Log, build

from jsonl_audit.segment import Names
from jsonl_audit.verifier import files, judge, verify
from jsonl_audit.verifier.files import Collected, Vanished, collect

pytestmark = pytest.mark.exhaustive  # alike on every Python

WRITER = """
import random, sys
from jsonl_audit import AuditLog
log, n = AuditLog(sys.argv[1], max_bytes=int(sys.argv[2]), fsync="never"), 0
print("ready", flush=True)
while True:
    n += 1
    if n % 7:
        log.append("a", n=n, text="z" * random.randint(0, 400))
    else:
        size = random.randint(2, 30)
        log.append_many([{"type": "b", "n": i, "text": "y" * random.randint(0, 900)} for i in range(size)])
"""


@contextmanager
def writing(path: Path, max_bytes: int) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(max_bytes)], stdout=subprocess.PIPE, text=True
    ) as writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            yield writer
        finally:
            writer.kill()


@pytest.mark.parametrize("max_bytes", [4_000, 200_000])
def test_a_verifier_beside_a_fast_writer_finds_nothing_wrong(tmp_path: Path, max_bytes: int) -> None:
    path = tmp_path / "audit.jsonl"
    with writing(path, max_bytes) as writer:
        until, looks, grown = time.monotonic() + 1.5, 0, 0
        while time.monotonic() < until:
            report = verify(path, full=looks % 2 == 1)
            assert report.verdict == "intact", report.text()
            assert not report.findings
            assert report.last_seq is not None
            grown += report.last_seq > looks
            looks += 1
        assert writer.poll() is None
    assert looks > 3
    assert verify(path).verdict in ("intact", "torn")


def test_segments_that_are_purged_while_they_are_read_are_listed_again(tmp_path: Path) -> None:
    log = build(tmp_path, segments=30, events=2)
    ready = threading.Event()

    def purge() -> None:
        ready.wait()
        for through in range(5, 26, 5):
            log.purge(through)

    thread = threading.Thread(target=purge)
    thread.start()
    verdicts = set()
    ready.set()
    for _ in range(20):
        verdicts.add(verify(log.active).verdict)
    thread.join()
    assert verdicts == {"intact"}
    assert verify(log.active).first_seq == 25 * 3 + 1


def test_a_segment_that_vanishes_is_noticed_by_its_inode(tmp_path: Path) -> None:
    log = build(tmp_path, segments=3, events=2)
    with collect(log.active) as collected:
        os.replace(log.paths[1], log.paths[0])
        with pytest.raises(Vanished), collected.files[1].open():
            pass
        with pytest.raises(Vanished), collected.files[2].open():
            pass


def test_what_is_not_whole_is_looked_at_again_if_the_log_was_written_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = build(tmp_path, segments=3, events=2)
    hidden = log.paths[0].rename(tmp_path / "hidden")
    looks = []

    def judged(collected: Collected, work: object, *anchors: object) -> object:
        report = judge.judge(collected, work, *anchors)  # type: ignore[arg-type]
        looks.append(report.verdict)
        if hidden.exists():
            hidden.rename(log.paths[0])
        return report

    monkeypatch.setattr("jsonl_audit.verifier.verification.judge", judged)
    assert verify(log.active).verdict == "intact"
    assert looks == ["incomplete", "intact"]


def test_a_log_that_stands_still_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = build(tmp_path, segments=3, events=2)
    log.drop(2)
    looks = []
    whole = judge.judge
    monkeypatch.setattr("jsonl_audit.verifier.verification.judge", lambda *a: looks.append(1) or whole(*a))
    assert verify(log.active).verdict == "incomplete"
    assert looks == [1]


def test_what_grows_after_the_first_look_is_not_judged(tmp_path: Path) -> None:
    log = build(tmp_path, segments=2, events=2)
    with collect(log.active) as collected:
        log.fill(3).raw(b"{")
        with collected.files[0].open() as content:
            assert content.size < len(log.read(2))
        from jsonl_audit.verifier.work import Work

        with Work(full=False) as work:
            assert judge.judge(collected, work).last_seq == 6


def test_the_active_file_is_opened_before_the_others_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(tmp_path).fill(2)
    listed = Names.list_sealed

    def sealing_just_now(names: Names) -> list[str]:
        monkeypatch.setattr(Names, "list_sealed", listed)
        log.seal().fill(2)
        return listed(names)

    monkeypatch.setattr(Names, "list_sealed", sealing_just_now)
    report = verify(log.active)
    assert (report.verdict, report.last_seq, report.segments) == ("intact", 3, 1)
    assert files.collect(log.active).files[0].header is not None
