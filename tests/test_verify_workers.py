"""A full verification on all cores finds what one in this process finds, needs no main guard, and stays small."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import orjson
import pytest
from logs import Log, build

import jsonl_audit
from jsonl_audit.content import Content
from jsonl_audit.scan import Link
from jsonl_audit.verifier import Report, pool, verify, walks, work, worker
from jsonl_audit.verifier.walks import Part, Walked

pytestmark = pytest.mark.exhaustive

PACKAGE = Path(jsonl_audit.__file__).resolve().parent.parent
MUCH = {"n": 1, "text": "x" * 200}


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts and thresholds so small that logs of a test are split."""
    monkeypatch.setattr(walks, "PART", 2000)
    monkeypatch.setattr(walks.parts_of, "__defaults__", (2000,))
    monkeypatch.setattr(work, "_WORTH_IT", 1)
    monkeypatch.setattr(work, "_WORTH_THREADS", 1)


def mixed(directory: Path) -> Log:
    """Segments with batches longer than a part, and records between them."""
    directory.mkdir(exist_ok=True)
    log = Log(directory)
    for segment in range(3):
        log.fill(10)
        log.batch([MUCH] * 20)
        log.fill(5)
        log.batch([MUCH] * 3)
        if segment < 2:
            log.seal()
    return log


def alone(log: Log) -> Report:
    return verify(log.active, full=True, workers=1)


def test_parts_begin_between_records_and_not_in_a_batch(tmp_path: Path) -> None:
    log = mixed(tmp_path)
    with Content(str(log.active)) as content:
        parts = walks.parts_of(content, content.size, 1000)
        whole = walks.walk(content, Part(0, content.size, None))
        found = [walks.walk(content, part) for part in parts]
        assert len(parts) > 3
        assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
        assert not any(walk.damaged or walk.torn for walk in found)
        assert walks.joined(parts, found) == whole


def test_parts_of_a_log_with_a_torn_end_come_to_the_same(tmp_path: Path) -> None:
    log = mixed(tmp_path)
    log.raw(b"{")
    with Content(str(log.active)) as content:
        parts = walks.parts_of(content, content.size, 1000)
        found = [walks.walk(content, part) for part in parts]
        assert walks.joined(parts, found) == walks.walk(content, Part(0, content.size, None))


def test_where_a_part_disagrees_the_parts_say_nothing(tmp_path: Path) -> None:
    log = mixed(tmp_path)
    size = len(log.read(3))
    for offset in range(0, size, 97):
        log.flip(3, offset)
        with Content(str(log.active)) as content:
            parts = walks.parts_of(content, content.size, 1000)
            found = [walks.walk(content, part) for part in parts]
            assert walks.joined(parts, found) is None
        log.flip(3, offset)


def test_a_walk_goes_through_a_pipe_and_back(tmp_path: Path) -> None:
    log = mixed(tmp_path).purge(1)
    with Content(str(log.active)) as content:
        found = walks.walk(content, Part(0, content.size, None))
        request = {"path": str(log.active), "key": list(content.key), "start": 0, "stop": content.size, "link": None}
    assert found.floor is not None
    assert Walked.from_dict(orjson.loads(orjson.dumps(worker.answer(request)))) == found


def test_a_worker_says_what_it_cannot_do(tmp_path: Path) -> None:
    log = mixed(tmp_path)
    found = os.stat(log.active)
    request = {"path": str(log.active), "key": [1, 2], "start": 0, "stop": found.st_size, "link": None}
    assert worker.answer(request) == {"gone": True}
    assert worker.answer(request | {"path": str(tmp_path / "none")}) == {"gone": True}
    request["key"] = [found.st_dev, found.st_ino]
    assert worker.answer(request | {"link": list(Link(5, "0" * 64, "2020"))}) == {"disagrees": True}


@pytest.mark.parametrize("harm", [None, "flip", "delete", "torn", "hole"])
def test_all_cores_find_what_one_finds(tmp_path: Path, small_parts: None, harm: str | None) -> None:
    log = mixed(tmp_path)
    if harm == "flip":
        log.flip(2, 5000)
    elif harm == "delete":
        log.delete_line(1, 25)
    elif harm == "torn":
        log.raw(b"{")
    elif harm == "hole":
        data = bytearray(log.read(3))
        data[4096:5120] = bytes(1024)
        log.write(3, bytes(data))
    for full in (True, False):
        assert verify(log.active, full=full, workers=3) == verify(log.active, full=full, workers=1)
    assert (alone(log).verdict == "intact") == (harm is None)


def test_the_processes_do_the_work_and_are_gone_afterwards(
    tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = mixed(tmp_path)
    asked, begun = [], []
    start, ask = pool._Process.__init__, pool._Process.walk

    def counted(self: pool._Process) -> None:
        begun.append(self)
        start(self)

    def recorded(self: pool._Process, file: object, part: Part) -> Walked | None:
        found = ask(self, file, part)  # type: ignore[arg-type]
        asked.append(found)
        return found

    monkeypatch.setattr(pool._Process, "__init__", counted)
    monkeypatch.setattr(pool._Process, "walk", recorded)
    # What they find is enough: nothing is walked once more here.
    monkeypatch.setattr(walks, "walk", lambda *_: pytest.fail("walked in this process"))
    assert verify(log.active, full=True, workers=2).verdict == "intact"
    assert asked
    assert all(found is not None and not found.damaged for found in asked)
    assert 1 <= len(begun) <= 2
    assert all(process._popen.returncode is not None for process in begun)


@pytest.mark.parametrize("python", ["/nowhere/python", "", sys.executable.replace("python", "uwsgi")])
def test_where_no_process_can_be_started_this_one_does_it(
    tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    log = mixed(tmp_path)
    expected = alone(log)
    monkeypatch.setattr(sys, "executable", python)
    assert verify(log.active, full=True, workers=2) == expected


def test_where_a_process_dies_this_one_goes_on(
    tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = mixed(tmp_path)
    monkeypatch.setattr(pool, "_START", "raise SystemExit(3)")
    assert verify(log.active, full=True, workers=2) == alone(log)


def test_a_script_without_a_main_guard_is_not_run_twice(tmp_path: Path) -> None:
    log = mixed(tmp_path / "log")
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            f"""
            from jsonl_audit.verifier import verify, walks, work
            walks.parts_of.__defaults__ = (2000,)
            work._WORTH_IT = work._WORTH_THREADS = 1
            print("once")
            print(verify({str(log.active)!r}, full=True, workers=2).verdict)
            """
        )
    )
    # What lies in the current directory is not imported by the processes.
    (tmp_path / "orjson.py").write_text("print('taken from the current directory'); raise SystemExit(9)")
    run = subprocess.run(
        [sys.executable, "-c", f"import runpy, sys; sys.path.pop(0); runpy.run_path({str(script)!r})"],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
    )  # fmt: skip
    assert (run.stdout, run.stderr, run.returncode) == ("once\nintact\n", "", 0)


def test_progress_goes_from_nothing_to_all(tmp_path: Path, small_parts: None) -> None:
    log = mixed(tmp_path)
    size = sum(path.stat().st_size for path in log.paths)
    for full, workers in ((False, 1), (False, 2), (True, 1), (True, 2)):
        seen: list[tuple[int, int]] = []
        verify(log.active, full=full, workers=workers, progress=lambda *at, seen=seen: seen.append(at))
        assert seen[0] == (0, size)
        assert seen[-1] == (size, size)
        assert seen == sorted(seen)


MEASURE = """
import resource, sys
from jsonl_audit.verifier import verify
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
report = verify(sys.argv[1], full=sys.argv[2] == "full", workers=int(sys.argv[3]))
unit = 1 if sys.platform == "darwin" else 1024
print(report.verdict, len(report.findings), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit >> 20)
"""


def measured(log: Log, mode: str, workers: int) -> tuple[str, int, int]:
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, str(log.active), mode, str(workers)],
        capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
    )  # fmt: skip
    verdict, findings, megabytes = run.stdout.split()
    return verdict, int(findings), int(megabytes)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no getrusage on this system")
def test_memory_stays_flat_with_large_segments_long_lines_and_many_findings(tmp_path: Path) -> None:
    log = build(tmp_path, segments=1, events=3)
    block = b"".join(log.add("test.event", text="x" * 1000) for _ in range(200))
    log.raw(block * 100 + b"y" * 50_000_000 + b"\n" + b"junk\n" * 50_000)
    verdict, findings, megabytes = measured(log, "quick", 1)
    assert (verdict, findings) == ("tampered", 10_001)
    assert megabytes < 64
    log = build(tmp_path / "whole", segments=1, events=3)
    for _ in range(1000):
        log.add("test.event", text="z" * 30_000)
    log.seal().fill(1)
    for mode, workers in (("quick", 2), ("full", 1), ("full", 2)):
        assert measured(log, mode, workers)[2] < 64


def test_many_small_segments_are_no_trouble(tmp_path: Path) -> None:
    log = build(tmp_path, segments=1500, events=0)
    report = verify(log.active)
    assert (report.verdict, report.segments) == ("intact", 1500)
