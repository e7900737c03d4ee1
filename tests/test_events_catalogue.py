"""Every type of the catalogue: made by its function and by a dict, refused when wrong, found again in a log."""

from __future__ import annotations

import importlib.util
import inspect
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jsonl_audit import AuditEvent, AuditLog, InvalidEventError, events, query
from jsonl_audit.events.catalogue import CATALOGUE
from jsonl_audit.events.constructors import function_name
from jsonl_audit.events.prepare import elsewhere
from jsonl_audit.events.schema import example_of

if TYPE_CHECKING:
    from types import ModuleType

REPOSITORY = Path(__file__).resolve().parent.parent
TYPES = CATALOGUE
each_type = pytest.mark.parametrize("kind", TYPES, ids=[kind.name for kind in TYPES])

# Names that programs look for, as the requirements write them.
OF_A_GATEWAY = """
auth.connect.success auth.connect.failure auth.nonce.replayed auth.token.expired device.approved device.rejected
device.revoked rbac.denied rpc.rate_limited exec.requested exec.approved exec.denied exec.completed plugin.loaded
plugin.disabled plugin.permission_denied file.access_denied file.traversal_blocked session.created session.killed
secret.rotated
"""
OF_AN_ASSISTANT = {
    "permission.request": ("tool action reason risks reversible", ""),
    "permission.decision": ("tool decision", "reason"),
    "tool.execute": ("tool input duration success", "error artifacts"),
    "tool.result": ("tool success duration", "output artifacts"),
    "task.start": ("taskId input trustLevel", ""),
    "task.complete": ("taskId steps duration summary success", ""),
    "system.start": ("component version port", "profileId"),
    "system.error": ("component error", "stack context"),
}
OF_A_PLATFORM = {
    "task.run": "id goal status started_at ended_at",
    "tool.event": "tool_id action input_hash output_hash",
    "model.event": "provider model_id tokens_in tokens_out",
    "workspace.event": "session_id kind approval_id",
}
OF_A_TRAIL = """
tool.call command.run file.modified git.operation model.prompt model.response policy.decision approval.requested
approval.granted approval.denied error.raised task.created task.started task.completed task.failed task.cancelled
session.started session.ended config.changed redaction.applied action.blocked export.completed sync.completed custom
chat.message config.tool config.provider config.model
"""


def test_the_catalogue_has_every_type_that_is_asked_for_and_no_other() -> None:
    assert len(OF_A_GATEWAY.split()) == 21
    named = {*OF_A_GATEWAY.split(), *OF_AN_ASSISTANT, *OF_A_PLATFORM, *OF_A_TRAIL.split()}
    assert {kind.name for kind in TYPES} == named


def test_the_security_types_of_a_gateway_are_kept_as_security_and_need_no_detail() -> None:
    for name in OF_A_GATEWAY.split():
        kind = events.get(name)
        assert kind is not None
        assert (kind.retention, dict(kind.required)) == ("security", {})


@pytest.mark.parametrize("name", OF_AN_ASSISTANT)
def test_the_types_of_an_assistant_have_just_the_details_of_their_row(name: str) -> None:
    kind = events.get(name)
    assert kind is not None
    assert (" ".join(kind.required), " ".join(kind.optional)) == OF_AN_ASSISTANT[name]


@pytest.mark.parametrize("name", OF_A_PLATFORM)
def test_the_types_of_a_platform_have_the_details_of_their_row(name: str) -> None:
    kind = events.get(name)
    assert kind is not None
    assert set(OF_A_PLATFORM[name].split()) <= set(kind.details)


# -- made by its function, and by a dict ----------------------------------------------------------


def make(kind: events.EventType, /, **changes: Any) -> AuditEvent:
    """An event of a type by its function, with all that its example says."""
    given = example_of(kind)
    details = given.pop("details", {})
    del given["type"]
    made = getattr(events, function_name(kind))(**{**given, **details, **changes})
    assert isinstance(made, AuditEvent)
    return made


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with every type, first by its function, then as a dict: strict, redacted as by default."""
    path = tmp_path_factory.mktemp("catalogue") / "audit.jsonl"
    with AuditLog(path, fsync="never", validate="strict") as log:
        log.append_many([make(kind) for kind in TYPES])
        log.append_many([example_of(kind) for kind in TYPES])
    return path


@each_type
def test_a_type_comes_back_from_a_log_as_it_went_in_by_its_function_and_by_a_dict(
    kind: events.EventType, log: Path
) -> None:
    example = example_of(kind)
    found = [*query(log, type=kind.name)]
    assert len(found) == 2
    for record in found:
        assert record.get("details", {}) == example.get("details", {})  # of which nothing is redacted
        assert "redacted" not in record
        assert {name: record.get(name) for name in ("level", "outcome", "task", "schema")} == {
            "level": kind.level, "outcome": example["outcome"], "task": "t-1", "schema": kind.version,
        }  # fmt: skip
        assert record["actor"] == {"id": "u1"}
        assert AuditEvent.of(record).details == example.get("details", {})
    assert [*query(log, type=kind.name, actor="u1", outcome=example["outcome"], level=kind.level, task="t-1")] == found


# -- refused when wrong ---------------------------------------------------------------------------


def _no_value_of(detail: events.Detail) -> Any:
    """A value that does not fit; None where any value does."""
    return next((value for value in ({"a": 1}, 7, "no time", [1]) if not detail.fits(value)), None)


@each_type
def test_a_detail_of_the_wrong_kind_is_refused(kind: events.EventType) -> None:
    for name, detail in kind.details.items():
        value = _no_value_of(detail)
        if value is None:
            assert detail.kind == "any"
            continue
        example = example_of(kind)
        example["details"][name] = value
        with pytest.raises(InvalidEventError, match="is expected") as caught:
            events.prepared(example, "strict", print)
        error = caught.value
        assert (error.type, error.field) == (kind.name, f"details.{name}")
        assert (error.expected, error.actual) == (detail.expected, value)
        with pytest.raises(InvalidEventError):
            make(kind, **{name: value})


@each_type
def test_a_detail_that_is_required_and_missing_is_refused_and_may_stand_at_the_top(kind: events.EventType) -> None:
    for name in kind.required:
        example = example_of(kind)
        value = example["details"].pop(name)
        for other in elsewhere(name):
            example.pop(other, None)
        with pytest.raises(InvalidEventError, match="is missing") as caught:
            events.prepared(example, "strict", print)
        assert (caught.value.type, caught.value.field, caught.value.actual) == (kind.name, f"details.{name}", None)
        for nothing in (None, {}):
            details = nothing if nothing is None else {**example["details"], name: None}
            with pytest.raises(InvalidEventError):
                events.prepared({**example, "details": details}, "strict", print)
        with pytest.raises(InvalidEventError):
            make(kind, **dict.fromkeys((name, *elsewhere(name))))
        if name in elsewhere(name):
            assert events.prepared({**example, name: value}, "strict", print)[name] == value


WRONG = [
    ("level", "loud"), ("level", 30), ("severity", "loud"), ("actor", 1.5), ("actor", ["u1"]), ("outcome", "so-so"),
    ("outcome", ["success"]), ("details", "text"), ("schema", 9), ("schema", "2"), ("target", 1.5),
    ("actor", {"id": ["u1"]}), ("initiator", [1]),
]  # fmt: skip


@each_type
def test_a_field_of_the_model_that_is_wrong_is_refused(kind: events.EventType) -> None:
    for member, value in WRONG:
        with pytest.raises(InvalidEventError) as caught:
            events.prepared({**example_of(kind), member: value}, "strict", print)
        assert caught.value.type == kind.name
        assert str(caught.value.field).partition(".")[0] == member


# -- what follows from the catalogue --------------------------------------------------------------


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """docs/generate_types.py, which is no module of the package."""
    spec = importlib.util.spec_from_file_location("generate_types", REPOSITORY / "docs" / "generate_types.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_the_schemas_and_the_signatures_are_those_of_the_catalogue(generator: ModuleType) -> None:
    wanted = generator.outputs()
    stale = [path.name for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    stale += [path.name for path in generator.SCHEMAS.glob("*.json") if path not in wanted]
    assert not stale, "run `python docs/generate_types.py`"


@each_type
def test_a_function_says_what_it_takes_and_takes_it(kind: events.EventType) -> None:
    function = getattr(events, function_name(kind))
    names = inspect.signature(function).parameters
    assert {"actor", "task", "outcome", "session", "details"} <= set(names)
    assert kind.description in str(inspect.getdoc(function))
    with pytest.raises(TypeError, match="no argument 'nonsense'"):
        make(kind, nonsense=1)
    assert function_name(kind) in dir(events)


@each_type
def test_a_type_has_a_sentence_and_each_detail_a_meaning_and_an_example_that_fits(kind: events.EventType) -> None:
    assert kind.description.endswith(".")
    for name, detail in kind.details.items():
        assert detail.meaning, name
        assert detail.fits(detail.example), name


@pytest.mark.exhaustive
def test_the_signatures_are_what_a_type_checker_sees(tmp_path: Path) -> None:
    mypy = pytest.importorskip("mypy.api")
    script = tmp_path / "program.py"
    script.write_text(
        "from jsonl_audit import events\n"
        "good = events.tool_execute(tool='a', input=1, duration=1, success=True, task='t')\n"
        "name: str | int | None = good.tool\n"
        "events.tool_execute(tool='a', input=1, duration='long', success=True)\n"
        "events.tool_execute(tool='a')\n"
        "events.permission_decision(tool='a', decision='maybe')\n"
    )
    out, _, _ = mypy.run(["--strict", "--no-incremental", "--python-executable", sys.executable, str(script)])
    wrong = [line.split(":")[1] for line in out.splitlines() if ": error:" in line]
    assert [*dict.fromkeys(wrong)] == ["4", "5", "6"], out


def test_the_examples_are_json_as_they_are_shown() -> None:
    for kind in TYPES:
        assert json.loads(json.dumps(example_of(kind))) == example_of(kind)
