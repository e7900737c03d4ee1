"""A sample of the shipping matrix, and that its judge sees what it is to see."""

from __future__ import annotations

import importlib
import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from shipping import NAME, ROUTES, Outcome, Place, judge, ship

from jsonl_audit import AuditLog, collect, verify

pytestmark = pytest.mark.exhaustive  # alike on every Python

SAMPLE = [
    ("rsync", "kill"), ("cp", "crash"), ("tar", "kill"), ("ship", "purge"), ("rsyslog", "kill"), ("rsyslog", "crash"),
    # Those that CI does not install.
    ("sftp", "kill"), ("rclone", "kill"), ("lsyncd", "kill"), ("syslog-ng", "kill"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "trouble"), SAMPLE)
def test_everything_arrives_and_nothing_is_called_what_it_is_not(name: str, trouble: str, tmp_path: Path) -> None:
    missing = ROUTES[name].missing()
    if missing:
        pytest.skip(f"{', '.join(missing)} is not here")
    outcome = ship(
        ROUTES[name], trouble, tmp_path / "at", appends=1000, max_bytes=32768, pace=800, chance=random.Random(1)
    )
    assert outcome.wrong == []
    assert outcome.records > 1000


# -- the judge


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A log of which all has arrived."""
    place = Place(tmp_path / "at", 1)
    with AuditLog(place.log, max_bytes=4096) as log:
        for number in range(40):
            log.append("shipped.event", details={"n": number, "said": "x" * 100})
    for path in place.here.glob("audit*.jsonl"):
        shutil.copy(path, place.there)
    return place


def wrong(place: Place) -> str:
    outcome = Outcome("none", "plain", 40)
    judge(place, outcome, 40)
    return "; ".join(outcome.wrong)


def test_what_is_whole_is_not_wrong(place: Place) -> None:
    assert wrong(place) == ""


def test_a_segment_that_did_not_arrive_is_missed(place: Place) -> None:
    sealed = sorted(place.there.glob("audit.*Z.jsonl"))
    sealed[1].unlink()
    assert "is missing" in wrong(place)
    assert "acknowledged events are not there" in wrong(place)


def test_an_end_that_did_not_arrive_is_missed(place: Place) -> None:
    last = place.there / NAME
    os.truncate(last, last.stat().st_size - 10)
    assert "arrived, of" in wrong(place)


def test_a_changed_byte_is_missed(place: Place) -> None:
    last = place.there / NAME
    last.write_bytes(last.read_bytes().replace(b"xxxx", b"xxxy", 1))
    assert "acknowledged events are not there" in wrong(place)
    assert verify(last).verdict == "tampered"


def test_a_copy_that_is_written_over_in_place_while_it_is_read_is_looked_at_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As scp does, and rclone before 1.63: for a moment a file begins as one segment and goes on as another."""
    verification = importlib.import_module("jsonl_audit.verifier.verification")
    active, sealed = place.there / NAME, min(place.there.glob("audit.*Z.jsonl")).read_bytes()
    whole, judged = active.read_bytes(), verification.judge
    active.write_bytes(sealed[:700] + whole[700:])

    def in_the_meantime(*args: Any) -> Any:
        report = judged(*args)
        if active.read_bytes() != whole:
            active.write_bytes(whole)
        return report

    assert verify(place.there, copy=True).verdict == "tampered"
    monkeypatch.setattr(verification, "judge", in_the_meantime)
    assert verify(place.there, copy=True).verdict == "intact"


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_torn_end_and_the_first_line_of_the_next_file_in_one_line_are_told_apart(
    wrapped: bool, place: Place, tmp_path: Path
) -> None:
    """A shipper that follows a name reads on in the next file, in the middle of the line that a crash left."""
    lines: list[bytes] = []
    for path in [*sorted(place.here.glob("audit.*Z.jsonl")), place.log]:
        torn = b'{"seq":99,"ts":"2026-11-21T10:11:12' if lines else b""
        first, *others = path.read_bytes().splitlines()
        lines += [torn + first, *others]
    if wrapped:
        lines = [json.dumps({"message": line.decode(), "from": "x"}).encode() for line in lines]
    report = collect([line + b"\n" for line in lines], tmp_path / "collected")
    assert (report.verdict, report.records) == ("intact", verify(place.log).records)
