"""Options of AuditLog that make no sense are refused before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from jsonl_audit import AuditLog


@pytest.mark.parametrize("mode", [-1, 0, 0o400, 0o4600, 0o7777, True, "0600"])
def test_permissions_that_shut_out_the_owner_or_are_none_are_refused(tmp_path: Path, mode: object) -> None:
    with pytest.raises(ValueError, match="mode is permissions"):
        AuditLog(tmp_path / "audit.jsonl", mode=mode)  # type: ignore[arg-type]
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o660])
def test_other_permissions_are_those_of_the_file(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "audit.jsonl"
    AuditLog(path, mode=mode).close()
    assert path.stat().st_mode & 0o7777 == mode
