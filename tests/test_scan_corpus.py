"""What `jsonl-audit scan` says of the corpus, and of logs: every secret is found and none is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import corpus
import orjson
from commandline import CommandLine, Ended, cli

from jsonl_audit import AuditLog

__all__ = ["cli"]


def write(folder: Path, name: str, data: bytes | str) -> None:
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)


def found(ended: Ended) -> list[dict[str, Any]]:
    """What `--json` printed."""
    return [json.loads(line) for line in ended.lines]


def test_a_log_written_with_redaction_scans_clean(cli: CommandLine) -> None:
    with AuditLog("audit.jsonl", fsync="never", redact="default", max_bytes=65536) as log:
        for case in list(corpus.positives())[::7]:
            value = case.value if isinstance(case.value, dict) else {"note": case.value}
            log.append("a.b", details=value)
        assert log.last_seq > 400
    ended = cli("scan", "audit.jsonl")
    assert (ended.status, ended.text) == (0, "")
    assert cli("scan", ".").status == 0


def test_no_secret_is_shown_and_none_is_missed(cli: CommandLine) -> None:
    cases = list(corpus.positives())[::3]
    write(cli.folder, "all.jsonl", b"".join(orjson.dumps({"v": case.value}) + b"\n" for case in cases))
    ended = cli("scan", "--json", "all.jsonl")
    assert {told["line"] for told in found(ended)} == set(range(1, len(cases) + 1))
    shown = (ended.text + ended.err).replace("\\", "")
    pieces = {shown[at : at + 8] for at in range(len(shown) - 7)}
    for case in cases:
        assert pieces.isdisjoint(secret[at : at + 8] for secret in case.secrets for at in range(len(secret) - 7)), case


def test_what_is_innocent_is_not_reported(cli: CommandLine) -> None:
    cases = list(corpus.negatives())
    write(cli.folder, "all.jsonl", b"".join(orjson.dumps({"v": case.value}) + b"\n" for case in cases))
    assert len(cli("scan", "--json", "all.jsonl").lines) < len(cases) / 100


def test_privacy_finds_what_default_lets_through(cli: CommandLine) -> None:
    write(cli.folder, "app.log", "mail to ann@example.net\n")
    assert cli("scan", "app.log").status == 0
    assert "email" in cli("scan", "--profile", "privacy", "app.log").text
