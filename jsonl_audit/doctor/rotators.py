"""Whether logrotate touches the log: the rules that do, and the command that takes the log out of them."""

from __future__ import annotations

import os
from collections.abc import Iterator

from jsonl_audit import storage
from jsonl_audit.doctor import shell
from jsonl_audit.doctor.diagnosis import Remark
from jsonl_audit.doctor.logrotate import PLACES, Rule, rules
from jsonl_audit.doctor.place import Place

__all__ = ["rotators"]

_STAMP = "20261121T101112123456Z"
_DONE = {
    "copytruncate": (
        "copies the active file and then cuts it to nothing",
        "Records that were committed are gone then: the log is tampered, and what came between the two is lost.",
    ),
    "rename": (
        "renames the active file",
        "Its records go on under a name that is not the log's: the log is then incomplete",
    ),
    "copy": (
        "copies the active file",
        "The copies have names like the log's and hold its records twice. The log itself is not touched.",
    ),
}
STATUS = ("/var/lib/logrotate/status", "/var/lib/logrotate/logrotate.status", "/var/lib/logrotate.status")
"""Where logrotate notes what it has rotated."""


def rotators(place: Place, *, logrotate: tuple[str, ...] = PLACES) -> Iterator[Remark]:
    """Each rule for the active file, or for sealed ones."""
    unread: list[str] = []
    found = rules(logrotate, unread)
    sealed = os.path.join(place.names.directory, place.names.sealed(_STAMP))
    said = 0
    for rule in found:
        active = rule.matches(place.names.path)
        if active or rule.matches(sealed):
            said += 1
            yield _remark(place, rule, active=active)
    if unread:
        said += 1
        yield Remark(
            "logrotate", "rules-not-read", "remark", f"{len(unread)} of its rules may not be read: {unread[0]}",
            "One of them may be for the log. Run this as root.",
            shell.run("sudo", "jsonl-audit", "doctor", place.names.path), path=unread[0], facts={"files": unread},
        )  # fmt: skip
    when = _rotated(place)
    if when is not None:
        said += 1
        yield Remark(
            "logrotate",
            "rotated-before",
            "remark",
            f"logrotate has had {place.name} in hand, last {when}",
            "Pieces of the log may lie under names such as "
            f"{place.name}.1, or be deleted: they are named here where they lie beside it.",
            shell.run("jsonl-audit", "verify", place.names.path),
            path=place.names.path,
            facts={"last": when},
        )
    if not said:
        yield Remark("logrotate", "logrotate", "ok", f"none of its {len(found)} rules is for the log")


def _remark(place: Place, rule: Rule, *, active: bool) -> Remark:
    done, why = _DONE[rule.way] if active else ("renames sealed segments", "Under another name no reader finds them")
    if rule.way != "copytruncate" and "copy" not in rule.words:
        why += f", and the oldest is deleted after {rule.keeps} rotations" if rule.keeps else ""
        why += "."
    elif not active:
        done, why = "copies or cuts sealed segments", "A sealed segment is never to change: verification finds that."
    where = f"{rule.file}, line {rule.first}" + (f" to {rule.last}" if rule.last > rule.first else "")
    return Remark(
        "logrotate",
        {"copytruncate": "logrotate-cuts", "rename": "logrotate-renames", "copy": "logrotate-copies"}[rule.way],
        "problem" if rule.way != "copy" or not active else "warning",
        f"logrotate {done} ({rule.way}): {where}",
        f"{why} The log rotates by itself: set max_bytes and backup_count where it is opened.",
        _without(place, rule),
        path=rule.file,
        facts={"line": rule.first, "patterns": list(rule.patterns), "way": rule.way},
    )


def _without(place: Place, rule: Rule) -> str:
    """What takes the log out of a rule. What it held before is kept in a file that logrotate passes over."""
    own = {*place.found, place.names.path}
    others = [path for path in rule.files() if path not in own and not _is_own(place, path)]
    kept = [pattern for pattern in rule.patterns if not _is_for(place, pattern)]
    edit = f"sed -i.{rule.first}.disabled"  # each keeps a copy of its own
    stay = kept + [path for path in others if not Rule("", 0, 0, 0, tuple(kept), rule.words).matches(path)]
    if not stay:
        return f"{edit} {shell.word(f'{rule.first},{rule.last}s/^/# /')} {shell.word(rule.file)}"
    patterns = " ".join(f'"{path}"' for path in stay)
    new = f"{patterns} {{{_behind(rule)}".replace("\\", "\\\\")
    script = ["-e", f"{rule.first}c\\{new}"]
    if rule.opens > rule.first:  # no line goes, so that what is said of other rules of this file stays right
        script += ["-e", f"{rule.first + 1},{rule.opens}s/^/# /"]
    return f"{edit} {' '.join(map(shell.word, script))} {shell.word(rule.file)}"


def _is_for(place: Place, pattern: str) -> bool:
    sealed = os.path.join(place.names.directory, place.names.sealed(_STAMP))
    rule = Rule("", 0, 0, 0, (pattern,), frozenset())
    return rule.matches(place.names.path) or rule.matches(sealed)


def _is_own(place: Place, path: str) -> bool:
    folder, name = os.path.split(path)
    return folder == place.names.directory and (
        place.names.stamp_of(name) is not None or name.startswith(place.name + ".")
    )


def _behind(rule: Rule) -> str:
    """What stands behind the `{` in its line."""
    try:
        with storage.reading(rule.file) as fd:
            text = storage.read(fd, 0, 1 << 20).decode("utf-8", "surrogateescape")
    except OSError:
        return ""
    return text.split("\n")[rule.opens - 1].rpartition("{")[2]


def _rotated(place: Place) -> str | None:
    """When logrotate last rotated the log, as its status file says."""
    for path in STATUS:
        try:
            with storage.reading(path) as fd:
                text = storage.read(fd, 0, 1 << 22).decode("utf-8", "surrogateescape")
        except OSError:
            continue
        for line in text.split("\n"):
            named, quote, when = line.strip().rpartition('" ')
            if quote and named[1:] == place.names.path:
                return when
    return None
