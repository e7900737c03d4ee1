"""The power is cut while processes that share a log take turns, each with its own promise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from disk import Calls, Disk
from sharers import sharing
from test_crash import cut_while

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.mark.parametrize(
    "modes", [("always", "never"), ("always", "always")], ids=" and ".join
)
def test_what_one_was_promised_is_there_whatever_the_other_was(
    disk: Disk, calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modes: tuple[str, str]
) -> None:
    """A sync of one covers what the other wrote before; what the other wrote behind it may go."""
    told, promised = 0, 0

    def writing(tell: Callable[[str], None]) -> None:
        logs = [sharing(disk, fsync=mode, sync_interval=60, max_bytes=2_500) for mode in modes]

        def give(who: int, count: int = 1) -> None:
            nonlocal told, promised
            log = logs[who]
            many = [{"n": n} for n in range(count)]
            receipts = log.append_many(many) if count > 1 else [log.append("t", text="x" * 300)]
            told += len(receipts)
            if modes[who] == "always":
                promised = told
            for receipt in receipts:
                tell(receipt.hash)

        for who in (0, 1, 1, 0, 0, 1):
            give(who)
        give(1, 3)
        logs[1].rotate()
        give(1)
        give(0, 2)
        for log in logs:
            log.close()

    assert cut_while(
        disk, calls, tmp_path, monkeypatch, writing,
        always=lambda: promised == told > 0, least=lambda: promised,
    ) > 50  # fmt: skip
