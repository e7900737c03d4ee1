"""Small logs made by an independent implementation, whole and damaged: what is said of each is what should be said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jsonl_audit.errors import AuditError
from jsonl_audit.verifier import verify

pytestmark = pytest.mark.exhaustive

FOLDER = Path(__file__).resolve().parent.parent.parent / "shared" / "vectors"
EXPECTED: dict[str, dict[str, Any]] = (
    json.loads((FOLDER / "expected.json").read_text("utf-8")) if FOLDER.exists() else {}
)


@pytest.mark.skipif(not EXPECTED, reason="needs shared/vectors beside the repository, which is not here")
@pytest.mark.parametrize("full", [False, True], ids=["quick", "full"])
@pytest.mark.parametrize("name", list(EXPECTED) or ["none"])
def test_every_vector_is_judged_as_it_should_be(name: str, full: bool) -> None:
    want = EXPECTED[name]
    files = [FOLDER / name / argument for argument in want["args"]]
    if want["verdict"] is None:
        with pytest.raises(AuditError) as caught:
            verify(files[0] if len(files) == 1 else files, full=full)
        assert caught.value.exit_code == want["exit"]
        assert str(caught.value)
        return
    report = verify(files[0] if len(files) == 1 else files, full=full)
    told = report.to_dict()
    assert json.loads(json.dumps(told)) == told
    assert (told["verdict"], report.exit_code) == (want["verdict"], want["exit"])
    assert set(want["kinds"]) <= {finding["kind"] for finding in told["findings"]}
    assert set(want["notes"]) <= {note["kind"] for note in told["notes"]}
    assert want["verdict"] != "intact" or not told["findings"]
    for member in ("last_seq", "head"):
        assert not want[member] or told[member] == want[member]
    assert told["anchored"] is False
    assert "Not anchored" in report.text().splitlines()[0]
