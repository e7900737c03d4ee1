"""Every secret of the corpus is caught, whole, and next to nothing that is none; so says the command, too."""

from __future__ import annotations

import functools
import random
from pathlib import Path
from typing import Any

import corpus
import orjson
import pytest

from jsonl_audit.redact.tokens import TOKENS


@functools.cache
def verdicts(secret: bool, profile: str) -> list[corpus.Verdict]:
    """What came of all cases of one sort; asked once a run."""
    return [corpus.judge(case) for case in (corpus.positives if secret else corpus.negatives)(profile)]


def test_the_corpus_has_hundreds_of_cases_of_both_sorts_and_every_named_kind() -> None:
    with_secrets, without = list(corpus.positives()), list(corpus.negatives())
    assert len(with_secrets) > 2_000
    assert len({orjson.dumps(case.value) for case in without}) > 500
    personal = {case.kind for case in corpus.positives("privacy")}
    assert {case.kind for case in with_secrets} | personal == set(corpus.CAUGHT_AS)


@pytest.mark.exhaustive
@pytest.mark.parametrize("profile", ["default", "privacy"])
def test_every_secret_is_gone_and_counted_as_what_it_is(profile: str) -> None:
    missed = [verdict for verdict in verdicts(True, profile) if not verdict.good]
    assert [f"{verdict.left!r} left, {sorted(verdict.kinds)}: {verdict.case}" for verdict in missed] == []


@pytest.mark.parametrize("profile", ["default", "privacy"])
def test_false_alarms_stay_below_one_in_a_hundred(profile: str) -> None:
    group = verdicts(False, profile)
    alarms = [f"{sorted(verdict.kinds)}: {verdict.case}" for verdict in group if not verdict.good]
    assert len(alarms) < len(group) / 100, "\n".join(alarms)


@pytest.mark.parametrize("profile", ["default", "privacy"])
def test_what_was_redacted_is_not_redacted_again(profile: str) -> None:
    ours = corpus.redactor(profile)
    for case in (*random.sample(list(corpus.positives()), 400), *corpus.positives("privacy")):
        once = ours.value(case.value, {})
        found: dict[str, int] = {}
        assert ours.value(once, found) == once, str(case)
        assert found == {}, str(case)


def test_the_marker_says_the_kind_and_nothing_of_the_secret() -> None:
    for case in random.sample(list(corpus.positives()), 400):
        found: dict[str, int] = {}
        shown = orjson.dumps(corpus.redactor("default").value(case.value, found)).decode()
        assert sum(shown.count(f"<redacted:{kind}") for kind in found) >= 1, str(case)


def test_redacting_changes_nothing_that_it_was_given() -> None:
    for case in random.sample(list(corpus.positives()), 200):
        before = orjson.dumps(case.value)
        corpus.redactor(case.profile).value(case.value, {})
        if isinstance(case.value, dict):
            corpus.redactor(case.profile).event(case.value, {})
        assert orjson.dumps(case.value) == before


def test_every_kind_of_marker_stands_on_the_page_about_redaction() -> None:
    page = (Path(__file__).parent.parent / "docs" / "howto" / "redact.md").read_text("utf-8")
    assert {token.kind for token in TOKENS if f"`{token.kind}`" not in page} == set()
    assert {kind for kinds in corpus.CAUGHT_AS.values() for kind in kinds if kind not in page} == set()


def test_the_command_prints_both_rates(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.argv", ["corpus.py"])
    none: frozenset[str] = frozenset()
    kinds = corpus.CAUGHT_AS
    monkeypatch.setattr(corpus, "judge", lambda case: corpus.Verdict(case, None, False, kinds.get(case.kind, none)))
    assert corpus.main() == 0
    lines = capsys.readouterr().out.splitlines()
    totals = [line.split() for line in lines if line.startswith("total")]
    assert [total[-1] for total in totals] == ["100.00%", "0.00%", "100.00%", "0.00%"]
