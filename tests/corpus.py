"""The corpus of redaction: made-up secrets that must be caught, and what is none and must stay. Prints both rates.

python tests/corpus.py                    recall and false alarms, by kind and in total
python tests/corpus.py --misses           also each miss and each false alarm
python tests/corpus.py --profile default  of one profile
python tests/corpus.py --detect-secrets   also what detect-secrets finds in the same texts, if it is installed
python tests/corpus.py --write FOLDER     the corpus as files, a case a line: for any other scanner
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import corpus_innocent
import corpus_names
import corpus_privacy
import corpus_told
import orjson
from corpus_contexts import CONTEXTS
from corpus_secrets import FORMS

from jsonl_audit.redact import Redactor

__all__ = ["Case", "Verdict", "caught_as", "judge", "negatives", "positives", "redacted", "redactor"]

SEED = 20261121
CAUGHT_AS: dict[str, frozenset[str]] = {
    kind: frozenset(names.split())
    for kind, names in {
        "aws": "aws-access-key-id", "github": "github-token", "gitlab": "gitlab-token",
        "slack": "slack-token slack-webhook", "google": "google-api-key google-token", "stripe": "stripe-key",
        "openai": "openai-key", "anthropic": "anthropic-key", "npm": "npm-token", "pypi": "pypi-token", "jwt": "jwt",
        "bearer": "bearer authorization", "basic": "basic-auth authorization", "url": "url-password",
        "pem": "private-key", "told, weak": "password secret",
        "told, quoted": "password secret token api-key",
        "told": "password secret token api-key access-key key private-key cookie credential azure-key npm-token "
        "basic-auth",
        "name: password": "password",
        "name: auth token": "token", "name: session token": "token", "name: secret": "secret",
        "name: api key": "api-key", "name: access key": "access-key", "name: authorization": "authorization",
        "name: cookie": "cookie", "name: private key": "private-key", "name: prompt": "prompt",
        "name: tool args": "tool-args", "name: shared secret": "secret", "name: kin": "password token secret key "
        "access-key credential cookie authorization api-key prompt tool-args otp seed",
        "email": "email", "phone": "phone", "person": "name", "path": "path", "binary": "binary",
        "long": "text",
    }.items()
}  # fmt: skip
"""As which kinds of the redactor a kind of the corpus may be caught: one of them at least."""
_WINDOW = 8
"""So many characters of a secret, wherever in it, are a piece of it."""


@dataclass(frozen=True)
class Case:
    """Something to redact: `secrets` must be gone from it; without any, it must stay as it is."""

    kind: str
    context: str
    value: Any
    secrets: tuple[str, ...] = ()
    profile: str = "default"

    def __str__(self) -> str:
        return f"{self.kind}, {self.context}: {json.dumps(self.value, ensure_ascii=False)[:300]}"


@dataclass(frozen=True)
class Verdict:
    """What became of a case, along every way that there is to redact it."""

    case: Case
    left: str | None
    """A piece of a secret that is still there; None if all is gone."""
    changed: bool
    kinds: frozenset[str]
    """As what something was found."""

    @property
    def good(self) -> bool:
        """Whether a secret is gone and counted, or an innocent value untouched."""
        if self.case.secrets:
            return self.left is None and not self.kinds.isdisjoint(CAUGHT_AS[self.case.kind])
        return not self.changed and not self.kinds


def positives(profile: str = "default") -> Iterator[Case]:
    """Every case with a secret. `profile` is default, or privacy: what that one removes besides."""
    lot = Random(SEED)
    if profile == "privacy":
        for kind, context, value, secrets in corpus_privacy.rows(lot):
            yield Case(kind, context, value, secrets, profile)
        return
    for kind, _, make in FORMS:
        for context, stand in CONTEXTS.items():
            text = make(lot)
            yield Case(kind, context, stand(text), (_core(kind, text),))
    for row in (*corpus_told.rows(lot), *corpus_names.rows(lot)):
        yield Case(*row)


def _core(kind: str, text: str) -> str:
    """What of a secret text is the secret: an address may stay, all but its last part."""
    return text.rpartition("/")[2] if kind == "slack" else text


def negatives(profile: str = "default") -> Iterator[Case]:
    """Every case without a secret."""
    lot = Random(SEED + 1)
    rows = corpus_privacy.innocent(lot) if profile == "privacy" else corpus_innocent.rows(lot)
    for family, value in rows:
        yield Case(family, "innocent", value, (), profile)


@functools.cache
def redactor(profile: str) -> Redactor:
    """The redactor of a profile, with the names of persons that the corpus holds."""
    return Redactor(profile, people=corpus_privacy.PEOPLE) if profile == "privacy" else Redactor(profile)


def redacted(case: Case) -> Iterator[tuple[Any, Counter[str]]]:
    """What a case becomes, along each way: as a text, as bytes of a stream, as a value, as a member of an event."""
    ours = redactor(case.profile)
    found: Counter[str] = Counter()
    yield ours.value(case.value, found), found
    event = case.value if isinstance(case.value, dict) else {"details": {"note": case.value}}
    found = Counter()
    shown = ours.event(event, found)
    yield (shown if event is case.value else shown["details"].get("note", shown)), found
    if isinstance(case.value, str):
        found = Counter()
        yield ours.text(case.value, found), found
        found = Counter()
        data = case.value.encode()
        pieces = [data[at : at + 37] for at in range(0, len(data), 37)]
        yield b"".join(ours.stream(iter(pieces), found)).decode(), found


def judge(case: Case) -> Verdict:
    """Redacts a case in every way and says what came of it; the worst of the ways counts."""
    left, changed, kinds, silent = None, False, set(), False
    for shown, found in redacted(case):
        left = left or _piece_left(case.secrets, shown)
        changed = changed or shown != case.value
        kinds |= set(found)
        silent = silent or not found
    if case.secrets and silent and left is None:
        left = "(gone, and not counted)"
    return Verdict(case, left, changed, frozenset(kinds))


def _piece_left(secrets: Iterable[str], shown: Any) -> str | None:
    texts = [text for text in _texts(shown) if "<redacted:" not in text or len(text) > 40]
    whole = "\n".join(texts)
    for secret in secrets:
        size = min(len(secret), _WINDOW)
        for at in range(len(secret) - size + 1):
            if secret[at : at + size] in whole:
                return secret[at : at + size]
    return None


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value: keys, strings, numbers."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)
    else:
        yield str(value)


def caught_as(verdicts: Iterable[Verdict]) -> dict[str, Counter[str]]:
    """By kind of the corpus: as what the redactor caught it, and how often."""
    table: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        table.setdefault(verdict.case.kind, Counter()).update(verdict.kinds)
    return table


# -- the command ----------------------------------------------------------------------------------


def _table(verdicts: list[Verdict], title: str, good: str, others: dict[int, bool] | None) -> str:
    by_kind: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_kind.setdefault(verdict.case.kind, []).append(verdict)
    head = f"{title:<28} {'cases':>6} {good:>13} {'':>8}" + ("  detect-secrets" if others else "")
    lines = [head]
    for kind, group in [*by_kind.items(), ("total", verdicts)]:
        lines.append(_line(kind, group, others))
    return "\n".join(lines)


def _line(kind: str, group: list[Verdict], others: dict[int, bool] | None) -> str:
    wanted = bool(group[0].case.secrets)
    count = sum(verdict.good == wanted for verdict in group)
    text = f"{kind:<28} {len(group):>6} {count:>13} {count / len(group):>8.2%}"
    if others:
        text += f"  {sum(others[id(verdict.case)] for verdict in group) / len(group):>14.1%}"
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--misses", action="store_true")
    parser.add_argument("--profile", choices=("default", "privacy"), action="append")
    parser.add_argument("--detect-secrets", action="store_true")
    parser.add_argument("--write", metavar="FOLDER", type=Path)
    chosen = parser.parse_args()
    if chosen.write:
        return _write(chosen.write)
    status = 0
    for profile in chosen.profile or ("default", "privacy"):
        with_secrets = [judge(case) for case in positives(profile)]
        without = [judge(case) for case in negatives(profile)]
        others = None
        if chosen.detect_secrets:
            import corpus_others

            others = corpus_others.found_in(verdict.case for verdict in (*with_secrets, *without))
        print(_table(with_secrets, f"secrets, {profile}", "caught", others), end="\n\n")
        print(_table(without, f"innocent, {profile}", "false alarms", others), end="\n\n")
        bad = [verdict for verdict in (*with_secrets, *without) if not verdict.good]
        status |= bool(bad)
        if chosen.misses:
            for verdict in bad:
                left = f"left {verdict.left!r}, " if verdict.case.secrets else ""
                said = f"{left}caught as {sorted(verdict.kinds)}"
                print(f"- {said}: {verdict.case}")
    return status


def _write(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    for profile in ("default", "privacy"):
        for name, cases in (("secrets", positives(profile)), ("innocent", negatives(profile))):
            with (folder / f"{name}-{profile}.jsonl").open("wb") as file:
                file.writelines(orjson.dumps(case.value) + b"\n" for case in cases)
    return 0


if __name__ == "__main__":
    sys.exit(main())
