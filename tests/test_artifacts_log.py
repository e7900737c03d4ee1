"""A log and its artifacts: what is attached, what is too long for a line, what is not to stand in either."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from disk import Calls, Disk
from hypothesis import given
from hypothesis import strategies as st

from jsonl_audit import AuditLog, Redactor, StorageError, WriteError, query, record, verify
from jsonl_audit.artifacts import Store, source
from jsonl_audit.artifacts.referring import in_log
from jsonl_audit.segment import Names

pytestmark = pytest.mark.usefixtures("quick_disk")
SECRET = "AK" + "IA" + "Z7QXW4NTR5VKPLJ2"
LONG = "".join(f"line {n} of the output\n" for n in range(4000))


def on_disk(folder: Path) -> bytes:
    """All that lies in the folder of a log."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_what_is_attached_is_there_when_the_record_is(disk: Disk) -> None:
    with disk.open() as log:
        reference = log.attach(LONG, name="output.txt")
        log.append("exec.completed", details={"output": reference})
    (found,) = query(disk.path)
    assert found["details"]["output"] == reference
    assert Store(Names.of(disk.path)).read(reference) == LONG.encode()
    assert verify(disk.path).verdict == "intact"


def test_an_event_that_is_too_long_for_a_line_finds_its_largest_value_in_an_artifact(disk: Disk) -> None:
    with disk.open() as log:
        log.append("exec.completed", details={"output": LONG, "exit": 0}, outcome="success")
        log.append_many([{"type": "t", "text": LONG}, {"type": "t"}])
        many, alone = query(disk.path, limit=2)
        assert many["details"]["exit"] == 0
        assert many["details"]["output"]["preview"] == LONG[:256]
        assert alone["text"]["artifact"] == many["details"]["output"]["artifact"]
        assert log.artifacts.read(alone["text"]).decode() == LONG
    assert len(Store(Names.of(disk.path)).hashes()) == 1
    assert verify(disk.path, full=True).verdict == "intact"


def test_a_secret_is_in_no_file_of_the_log_whichever_way_it_comes(disk: Disk, tmp_path: Path) -> None:
    path = tmp_path / "given"
    path.write_text(f"{LONG}key = {SECRET}\n")
    with disk.open() as log:
        for given_ in (f"{LONG}{SECRET}", path, [LONG.encode(), SECRET[:9].encode(), SECRET[9:].encode()]):
            reference = log.attach(given_)
            assert sum(reference["redacted"].values()) == 1
        log.append("t", details={"output": f"{LONG}{SECRET}", "env": {"password": "hunter2 " * 9000}})
        log.append("t", artifacts=[log.attach(json.dumps({"deep": {"url": f"https://u:{SECRET.lower()}@host/"}}))])
    found = on_disk(disk.folder)
    assert SECRET.encode() not in found
    assert SECRET.lower().encode() not in found
    assert b"hunter2" not in found
    assert verify(disk.path).ok


@pytest.mark.parametrize("cut", [(1 << 20) - 9, (1 << 20), (1 << 20) + 5])
def test_a_secret_across_the_border_of_two_blocks_is_found(disk: Disk, cut: int) -> None:
    with disk.open() as log:
        content = "a " * (cut // 2) + SECRET + " b" * 2000
        assert log.attach(content)["redacted"]
        assert log.attach(iter([content[:cut].encode(), content[cut:].encode()]))["redacted"]
    assert SECRET.encode() not in on_disk(disk.folder)


@given(text=st.text(max_size=200), size=st.integers(1, 60), at=st.integers(0, 200))
def test_a_text_that_comes_in_pieces_is_stored_as_if_it_came_at_once(
    tmp_path_factory: pytest.TempPathFactory, text: str, size: int, at: int
) -> None:
    store = Store(Names.of(tmp_path_factory.getbasetemp() / "pieces" / "audit.jsonl"), redactor=Redactor())
    data = f"{text[:at]} {SECRET} {text[at:]}".encode()
    whole = store.put(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "BLOCK", 32)
        assert store.put([data[start : start + size] for start in range(0, len(data), size)]) == whole
    assert whole["redacted"]


@pytest.mark.parametrize("policy", ["spill", "drop"])
def test_an_event_too_long_for_a_line_goes_on_cut_where_its_artifact_cannot_be_stored(
    disk: Disk, tmp_path: Path, calls: Calls, policy: str
) -> None:
    spills = {"spill_path": tmp_path / "spill"} if policy == "spill" else {}
    with disk.open(on_error=policy, **spills) as log:
        calls.fail("open_append", error=errno.ENOSPC, for_ever=True, about="artifacts")
        log.append("t", n=1, text=LONG)
        calls.heal()
        log.append("t", n=2, text=LONG)
    cut, whole = query(disk.path, type="t")
    assert (cut["n"], cut["text"]["bytes"], "$short" in cut["text"]) == (1, len(LONG), True)
    assert whole["text"]["artifact"]
    assert verify(disk.path).verdict == "intact"


def test_an_event_too_long_for_a_line_waits_where_the_log_waits(disk: Disk, calls: Calls) -> None:
    with disk.open(on_error="block") as log:
        calls.fail("open_append", error=errno.ENOSPC, for_ever=True, about="artifacts")
        threading.Timer(0.05, calls.heal).start()
        log.append("t", text=LONG)
    (found,) = query(disk.path, type="t")
    assert found["text"]["bytes"] == len(LONG)


def test_where_errors_are_raised_nothing_is_recorded_that_has_no_artifact(disk: Disk, calls: Calls) -> None:
    with disk.open() as log:
        calls.fail("write", error=errno.ENOSPC, for_ever=True, about="artifacts")
        with pytest.raises(WriteError, match="nothing refers to it"):
            log.append("t", text=LONG)
        with pytest.raises(WriteError):
            log.attach(LONG)
        with pytest.raises(StorageError, match="was not attached"):
            log.attach(disk.folder / "nothing")
        calls.heal()
        log.append("t", n=2)
    assert [found["n"] for found in query(disk.path)] == [2]
    assert verify(disk.path).notes == ()


def test_many_threads_attach_and_append_beside_a_verifier(disk: Disk) -> None:
    said: list[Any] = []

    def work(log: AuditLog, number: int) -> None:
        for n in range(6):
            log.append("t", details=log.attach(f"{number % 2} {n} {LONG}"), text=LONG[n * 100 :])

    with disk.open(max_bytes=8_000, redact=None) as log:
        threads = [threading.Thread(target=work, args=(log, number)) for number in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            said.append(verify(disk.path))
        for thread in threads:
            thread.join()
    assert [str(report) for report in said if not report.ok] == []
    report = verify(disk.path, full=True)
    assert (report.verdict, report.notes) == ("intact", ())
    assert len({reference["artifact"] for reference, _ in in_log(disk.path)}) == 18


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_processes_that_share_a_log_share_its_artifacts(disk: Disk) -> None:
    children = []
    with disk.open(shared=True, max_bytes=5_000) as log:
        for number in range(3):
            pid = os.fork()
            if not pid:
                status = 1
                try:
                    for n in range(8):
                        log.append("t", details=log.attach(f"content {n} " * 300), own=number)
                    status = 0
                finally:
                    os._exit(status)
            children.append(pid)
        assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
    assert len(Store(Names.of(disk.path)).hashes()) == 8
    assert verify(disk.path, full=True).verdict == "intact"


def test_more_than_a_line_may_ever_hold_goes_into_an_artifact_too(disk: Disk) -> None:
    text = "x y " * (5 << 20)
    with disk.open(redact=None) as log:
        log.append("t", text=text)
    (found,) = query(disk.path)
    assert found["text"]["bytes"] == 20 << 20
    assert len(text) > record.HARD_LIMIT


def test_an_object_of_a_callers_own_that_looks_like_a_reference_raises_no_false_alarm(disk: Disk) -> None:
    strange = {"artifact": "0" * 64, "bytes": 1}
    for artifacts in (True, False):
        with disk.open(artifacts=artifacts, line_limit=2048) as log:
            log.append("t", details=strange)
            log.append_many([{"type": "t", "details": [strange]}, {"type": "t"}])
            if artifacts:
                log.append("t", details=strange, text="x " * 4000)
    assert verify(disk.path).verdict == "intact"
    found = [each["details"] for each in query(disk.path) if "details" in each]
    assert all("unknown_artifact" in str(details) for details in found)
