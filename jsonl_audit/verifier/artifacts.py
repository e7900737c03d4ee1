"""What records refer to, and whether it is there: artifacts that are missing, altered, or that nothing refers to.

A header says of the segment before whether anything in it may be a reference, so a segment without one is not searched,
and no folder need be there to know that. A file is in the store before any record refers to it: what is looked for
after the records were read is there, also beside a writer. What is in the store is listed before they are read, so
that one that came meanwhile is no stranger.
"""

from __future__ import annotations

import os

from jsonl_audit import record, storage
from jsonl_audit.artifacts import Store
from jsonl_audit.artifacts.referring import in_content
from jsonl_audit.content import Content
from jsonl_audit.verifier.checked import Checked
from jsonl_audit.verifier.files import Collected
from jsonl_audit.verifier.report import Finding, Note
from jsonl_audit.verifier.work import Work

__all__ = ["judge", "look"]

_NAMED, _SHOWN = 100, 3
"""So many artifacts are named one by one, in findings and in a note."""


def look(checked: Checked, content: Content) -> None:
    """Notes the artifacts that the segment's committed records refer to, each with the first record that does."""
    for own, line in in_content(content, checked.end):
        checked.referred.setdefault(own, record.seq_of(line))


def judge(collected: Collected, chain: list[Checked], work: Work) -> tuple[list[Finding], list[Note]]:
    """What is to be said of the artifacts of a log. Raises StorageError where they cannot be read."""
    referred: dict[str, tuple[Checked, int]] = {}
    for checked in chain:
        for own, seq in checked.referred.items():
            referred.setdefault(own, (checked, seq))
    names = collected.names
    if names is None:
        return [], [_not_named(len(referred))] if referred else []
    store = Store(names)
    findings = _of_referred(store, referred, work)
    strange = [own for own in collected.stored if own not in referred]
    return findings, [_unreferenced(strange)] if strange else []


def _of_referred(store: Store, referred: dict[str, tuple[Checked, int]], work: Work) -> list[Finding]:
    def state(own: str) -> str:
        if own not in work.whole:
            told = store.state(own)
            if told != "whole":
                return told
            work.whole.add(own)
        return "whole"

    findings: list[Finding] = []
    counts = {"missing": 0, "altered": 0}
    for own, told in zip(referred, work.each(state, list(referred)), strict=True):
        if told == "whole":
            continue
        counts[told] += 1
        if counts[told] > _NAMED:
            continue
        checked, seq = referred[own]
        what = "is not here" if told == "missing" else "is not what was stored"
        message = f"the artifact {own} that the record refers to {what}"
        findings.append(Finding(f"artifact-{told}", message, checked.file.name, seq=seq, expected=own))
    if counts["missing"] and not storage.is_directory(store.path):
        folder = "/".join(store.path.split(os.sep)[-2:])
        what = f"the folder {folder} is not here, and with it {_many(len(referred))} that records refer to"
        return [Finding("artifact-missing", what, expected=len(referred), actual=0)]
    for told, count in counts.items():
        if count > _NAMED:
            findings.append(Finding(f"artifact-{told}", f"and {_many(count - _NAMED)} more"))
    return findings


def _unreferenced(strange: list[str]) -> Note:
    named = ", ".join(strange[:_SHOWN]) + (" …" if len(strange) > _SHOWN else "")
    why = "records that were purged or are still to come may refer to them, or a crash came before the record"
    return Note("artifact-unreferenced", f"no record here refers to {_many(len(strange))}: {named}; {why}")


def _not_named(count: int) -> Note:
    what = f"records refer to {_many(count)}, which lie beside the log and were not named"
    return Note("artifacts-not-looked-for", f"{what}: verify the log by its path to have them checked")


def _many(count: int) -> str:
    return f"{count:,} artifact{'s' * (count != 1)}"
