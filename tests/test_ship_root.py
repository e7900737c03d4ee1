"""Root ships the log of another user, who puts links in the way: nothing outside of the log's folder is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from disk import Disk

from jsonl_audit import ship, shipped
from jsonl_audit.segment import Names

ALICE = 54_321
pytestmark = [
    pytest.mark.usefixtures("quick_disk"),
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root alone can do this"),
]


@pytest.fixture
def alices(disk: Disk) -> Disk:
    """A log in a folder, both hers."""
    disk.make(2, 2)
    for path in [disk.folder, *disk.folder.rglob("*")]:
        os.chown(path, ALICE, ALICE)
    return disk


def owners(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in folder.rglob("*")}


def test_what_is_noted_beside_her_log_is_hers(alices: Disk, tmp_path: Path) -> None:
    (outcome,) = ship(alices.path, tmp_path / "there")
    assert (outcome.exit_code, outcome.notes) == (0, [])
    (said,) = shipped.read(Names.of(alices.path))
    assert said.seq == outcome.seq
    assert owners(alices.folder) == {ALICE}
    (outcome,) = ship(alices.path, tmp_path / "other")
    assert len(shipped.read(Names.of(alices.path))) == 2
    assert owners(alices.folder) == {ALICE}


@pytest.mark.parametrize("below", [".d", ".d/shipped"])
def test_a_link_in_the_place_of_the_folder_leads_nowhere(alices: Disk, tmp_path: Path, below: str) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    link = Path(str(alices.path) + below)
    link.parent.mkdir(exist_ok=True)
    os.chown(link.parent, ALICE, ALICE)
    link.symlink_to(victim)
    (outcome,) = ship(alices.path, tmp_path / "there")
    assert "cannot be noted" in outcome.notes[0].message
    assert list(victim.iterdir()) == []
    assert victim.stat().st_uid == 0


def test_a_link_in_the_place_of_the_file_is_replaced_and_not_followed(alices: Disk, tmp_path: Path) -> None:
    ship(alices.path, tmp_path / "there")
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (said,) = shipped.read(Names.of(alices.path))
    os.unlink(said.path)
    os.symlink(victim, said.path)
    with alices.open() as log:
        log.append("t")
    assert ship(alices.path, tmp_path / "there")[0].ok
    assert (victim.read_bytes(), victim.stat().st_uid) == (b"precious", 0)
    assert not os.path.islink(said.path)


def test_a_link_with_the_name_of_a_segment_to_what_is_none_is_not_shipped(alices: Disk, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"root:x:0:0\n")
    name = alices.sealed()[0].name
    (alices.folder / name.replace("2026", "2025")).symlink_to(secret)
    (outcome,) = ship(alices.path, tmp_path / "there")
    assert "a link to what is no segment" in outcome.notes[0].message
    assert not any(b"root:x" in path.read_bytes() for path in (tmp_path / "there").iterdir())


def test_a_link_put_in_the_place_of_what_arrived_gets_no_mode(alices: Disk, tmp_path: Path) -> None:
    from jsonl_audit.ship.folder import Folder

    victim = tmp_path / "victim"
    victim.write_bytes(b"")
    victim.chmod(0o600)
    there = tmp_path / "there"
    there.mkdir()
    place = Folder(str(there), alices.path.name)
    place.append("a", 0, b"x", 0o600)
    (there / "a").unlink()
    (there / "a").symlink_to(victim)
    alices.path.chmod(0o644)
    place.keep("a", alices.path.stat())
    place._close()
    place.keep("a", alices.path.stat())
    assert victim.stat().st_mode & 0o777 == 0o600
