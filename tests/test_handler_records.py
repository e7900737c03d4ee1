"""What a record of the standard library's logging becomes: all of it, in members, whatever it brings along."""

from __future__ import annotations

import asyncio
import builtins
import logging
import os
import pickle
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from disk import Disk, chain
from hypothesis import given
from hypothesis import strategies as st

from jsonl_audit.handlers import AuditHandler
from jsonl_audit.handlers.exceptions import FRAMES
from jsonl_audit.handlers.records import event_of
from jsonl_audit.record import TYPE, encode
from jsonl_audit.shorten import shortened

pytestmark = pytest.mark.usefixtures("quick_disk")


class Logger:
    """A logger with a handler, and what it has recorded."""

    def __init__(self, disk: Disk, **options: Any) -> None:
        self.disk = disk
        self.handler = AuditHandler(disk.path, fsync="never", **options)
        self.logger = logging.Logger("app.auth")  # noqa: LOG001 - it is to be gone with the test
        self.logger.addHandler(self.handler)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.logger, name)

    @property
    def last(self) -> dict[str, Any]:
        """The newest record."""
        assert self.handler.lost == 0
        return chain(self.disk).events[-1]


@pytest.fixture
def logger(disk: Disk) -> Iterator[Logger]:
    made = Logger(disk)
    yield made
    made.handler.close()


def test_all_that_a_record_says_is_there(logger: Logger) -> None:
    logger.warning("%s was denied %d times", "u1", 3, extra={"outcome": "denied", "details": {"tool": "bash"}})
    record = logger.last
    assert record["type"] == "log.record"
    assert record["level"] == "warning"
    assert record["logger"] == "app.auth"
    assert record["message"] == "u1 was denied 3 times"
    assert record["args"] == ["u1", 3]
    assert record["outcome"] == "denied"
    assert record["details"] == {"tool": "bash"}
    assert record["source"]["file"] == __file__
    assert record["source"]["function"] == "test_all_that_a_record_says_is_there"
    assert record["process"] == {"id": os.getpid(), "name": "MainProcess"}
    assert record["thread"] == {"id": threading.get_ident(), "name": threading.current_thread().name}
    assert not {"exception", "stack", "extra", "problems"} & record.keys()


def test_its_time_is_when_it_was_made(logger: Logger) -> None:
    made = logging.makeLogRecord({"msg": "m", "created": 1_800_000_000.25, "name": "app"})
    logger.handler.handle(made)
    assert logger.last["time"] == "2027-01-15T08:00:00.250000Z"
    assert [r["time"] for r in logger.handler.log.query(since="2027-01-15", until="2027-01-16")]


def test_a_call_names_its_type(logger: Logger) -> None:
    logger.info("in", extra={"audit_type": "auth.login"})
    assert logger.last["type"] == "auth.login"
    assert "audit_type" not in str(logger.last)


@pytest.mark.parametrize("wrong", ["not a type", "audit.lost", 7, None, "x" * 129])
def test_a_type_that_cannot_be_one_is_said_and_the_record_kept(logger: Logger, wrong: Any) -> None:
    logger.info("in", extra={"audit_type": wrong})
    assert logger.last["type"] == "log.record"
    assert repr(wrong)[:100] in logger.last["problems"][0]


def test_names_that_clash_stand_under_extra(logger: Logger) -> None:
    ours = {
        "type": "card", "level": 9, "logger": "x", "time": 3, "exception": "e", "stack": "s", "extra": {"a": 1},
        "seq": 7, "hash": "h", "prev": "p", "id": "17", "ts": "never", "batch": [1, 2], "problems": 0, "source": "s",
        "timestamp": 1, "salt": "s", "erased": 1, "clock": "c",
    }  # fmt: skip
    logger.info("m", extra=ours | {"user": "u1"})
    assert logger.last["extra"] == ours
    assert logger.last["user"] == "u1"
    assert logger.last["message"] == "m"


def test_no_message_makes_a_second_line(logger: Logger) -> None:
    forged = 'x\n{"seq":9,"type":"exec.approved"}\r\n\x85\u2028\u2029\x00\x1b[2Kend'
    logger.info(forged)
    logger.info("%s", forged, extra={forged: forged})
    logger.info("last")
    records = chain(logger.disk).events
    assert [r["message"] for r in records] == [forged, forged, "last"]
    assert records[1][forged] == forged
    assert len(logger.disk.lines()) == 4


def test_wrong_arguments_cost_the_formatting_and_nothing_else(logger: Logger) -> None:
    for arguments in [("a",), ("a", 1, 2), (1, "a"), ({"a": 1},)]:
        logger.info("%s is %d", *arguments)
        assert logger.last["message"] == "%s is %d"
        assert logger.last["args"] == (list(arguments) if arguments[0] != {"a": 1} else {"a": 1})
        assert logger.last["problems"][0].startswith("message: TypeError: ")
    logger.info("%(missing)s", {"a": 1})
    assert logger.last["problems"] == ["message: KeyError: 'missing'"]


class Raises:
    """An object whose own code fails."""

    def __str__(self) -> str:
        raise RuntimeError("no str")

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __reduce__(self) -> Any:
        raise TypeError("no pickle")


def test_objects_whose_code_fails_are_named(logger: Logger) -> None:
    logger.info("who: %s", Raises(), extra={"who": Raises(), "in": [Raises()]})
    name = f"<{Raises.__module__}.Raises whose repr raises RuntimeError>"
    assert logger.last["message"] == "who: %s"
    assert logger.last["problems"] == ["message: RuntimeError: no str"]
    assert logger.last["who"]["$repr"] == logger.last["in"][0]["$repr"] == logger.last["args"][0]["$repr"] == name
    logger.info(Raises())
    assert logger.last["message"] == f"<{Raises.__module__}.Raises whose str raises RuntimeError>"
    try:
        raise ValueError(Raises())
    except ValueError:
        logger.exception("failed")
    assert "RuntimeError" in logger.last["exception"]["message"]


class Asked:
    """An object that counts how often it is asked."""

    def __init__(self) -> None:
        self.strs = self.reprs = 0

    def __str__(self) -> str:
        self.strs += 1
        return "as str"

    def __repr__(self) -> str:
        self.reprs += 1
        return "as repr" * 9000


def test_a_strangers_code_runs_once(logger: Logger) -> None:
    asked = Asked()
    logger.info("%s %s %r", asked, asked, asked, extra={"other": 1})
    assert (asked.strs, asked.reprs) == (1, 1)
    for text, extra in (("%s", {}), ("%r", {}), ("%d", {}), ("none", {})):
        asked = Asked()
        logger.info(text, asked, extra=extra)
        assert asked.strs <= 1
        assert asked.reprs == 1
    asked = Asked()
    logger.info("%(a)s %(a)s", {"a": asked})
    assert (asked.strs, asked.reprs) == (1, 1)
    asked = Asked()
    logger.info("m", extra={"it": asked})
    assert asked.reprs == 1


def test_arguments_of_any_kind_are_formatted_as_logging_does(logger: Logger) -> None:
    class Index:
        def __index__(self) -> int:
            return 255

        def __repr__(self) -> str:
            return "index"

    class Text(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "own"

    for text, arguments in [
        ("%x %c", (Index(), Index())), ("%d %.1f", (Decimal("1.5"), Decimal("2.5"))), ("%s", (Path("/a"),)),
        ("%s", ([1, {"a": 2}],)), ("%5.2f|%-5d|%05d", (1.234, 7, True)), ("%s %s", (Text("t"), b"raw")),
        ("%s", ((1, 2),)), ("%s", (None,)), ("%(a)s", ({"a": Index()},)), ("%s", ({},)), ("100%", ()), ("%%", (1,)),
        ("%r %a", ("é", Path("é"))),
    ]:  # fmt: skip
        record = logger.makeRecord("n", 20, "f", 1, text, arguments, None)
        try:
            expected = record.getMessage()
        except TypeError:
            expected = text
        logger.handler.handle(record)
        assert logger.last["message"] == expected


def test_records_of_a_class_of_ones_own(logger: Logger) -> None:
    class Braces(logging.LogRecord):
        def getMessage(self) -> str:  # noqa: N802
            return self.msg.format(*self.args)  # type: ignore[misc]

    logger.handler.handle(Braces("n", 20, "f", 1, "{} and {}", (1, "two"), None))
    assert logger.last["message"] == "1 and two"
    logger.handler.handle(Braces("n", 20, "f", 1, "{} and {}", (1,), None))
    assert logger.last["message"] == "{} and {}"
    assert logger.last["args"] == [1]
    assert logger.last["problems"]


def test_an_exception_stands_in_members(logger: Logger) -> None:
    def fails() -> None:
        raise KeyError("k")

    try:
        try:
            fails()
        except KeyError as error:
            raise ValueError("bad") from error
    except ValueError:
        logger.exception("failed")
    told = logger.last["exception"]
    assert (told["type"], told["module"], told["message"]) == ("ValueError", "builtins", "bad")
    assert told["frames"][0]["file"] == __file__
    assert told["frames"][0]["function"] == "test_an_exception_stands_in_members"
    assert told["frames"][0]["code"] == 'raise ValueError("bad") from error'
    assert told["cause"]["type"] == "KeyError"
    assert told["cause"]["frames"][-1]["function"] == "fails"
    assert "context" not in told
    assert "text" not in told
    assert logger.last["level"] == "error"


def test_contexts_notes_groups_and_loops_of_exceptions(logger: Logger) -> None:
    error = ValueError("outer")
    error.__context__ = KeyError("inner")
    error.__context__.__context__ = error
    error.__notes__ = ["first", 2]  # type: ignore[attr-defined]
    logger.error("m", exc_info=error)
    told = logger.last["exception"]
    assert told["notes"] == ["first", "2"]
    assert told["context"]["context"] == {"type": "ValueError", "module": "builtins", "omitted": "the same as above"}
    error.__suppress_context__ = True
    logger.error("m", exc_info=error)
    assert "context" not in logger.last["exception"]
    group = getattr(builtins, "ExceptionGroup", None)  # from 3.11 on
    if group is not None:
        logger.error("m", exc_info=group("g", [ValueError("a"), group("h", [KeyError("b")])]))
        told = logger.last["exception"]
        assert told["exceptions"][1]["exceptions"][0]["message"] == "'b'"


def test_endless_exceptions_are_bounded(logger: Logger) -> None:
    def deeper() -> None:
        deeper()

    try:
        deeper()
    except RecursionError:
        logger.exception("too deep")
    told = logger.last["exception"]
    assert told["message"].startswith("maximum recursion depth exceeded")
    frames = told["frames"].get("$short") if isinstance(told["frames"], dict) else told["frames"]
    assert frames[FRAMES]["omitted"] > 100
    error: BaseException = ValueError("0")
    for number in range(10_000):
        inner, error = error, ValueError(str(number))
        error.__cause__ = inner
    logger.error("long", exc_info=error)
    assert '"omitted":"too many"' in orjson.dumps(logger.last).decode()
    while error.__cause__ is not None:  # a chain so long is not freed by recursion
        error, error.__cause__ = error.__cause__, None


@pytest.mark.parametrize("info", [(None, None, None), (ValueError, None, None), "text", 7, (1, 2)])
def test_odd_exc_infos(logger: Logger, info: Any) -> None:
    record = logging.makeLogRecord({"msg": "m", "exc_info": info, "name": "n"})
    logger.handler.handle(record)
    assert logger.last["message"] == "m"
    assert ("exception" in logger.last) == (info not in [(None, None, None), (1, 2)])


def test_a_formatter_makes_the_text_of_exceptions_and_nothing_else(disk: Disk) -> None:
    class Own(logging.Formatter):
        def formatException(self, ei: Any) -> str:  # noqa: N802
            return f"own: {ei[1]}"

    class Fails(logging.Formatter):
        def formatException(self, ei: Any) -> str:  # noqa: N802
            raise RuntimeError(f"no {ei}")

    logger = Logger(disk)
    logger.handler.setFormatter(Own("%(nonsense)s"))
    logger.info("plain")
    assert logger.last["message"] == "plain"
    logger.error("m", exc_info=ValueError("bad"))
    assert logger.last["exception"]["text"] == "own: bad"
    logger.handler.setFormatter(Fails())
    logger.error("m", exc_info=ValueError("bad"))
    assert "text" not in logger.last["exception"]
    assert "no" in logger.last["problems"][0]
    logger.handler.close()


def test_a_stack_stands_in_members(logger: Logger) -> None:
    logger.info("here", stack_info=True)
    frames = logger.last["stack"]
    assert frames[-1]["function"] == "test_a_stack_stands_in_members"
    assert frames[-1]["code"] == 'logger.info("here", stack_info=True)'
    logger.handler.handle(logging.makeLogRecord({"msg": "m", "name": "n", "stack_info": "as somebody\nelse writes it"}))
    assert logger.last["stack"] == "as somebody\nelse writes it"


def test_a_task_is_named(logger: Logger) -> None:
    async def work() -> None:
        logger.info("in a task")

    async def main() -> None:
        await asyncio.create_task(work(), name="worker-7")

    asyncio.run(main())
    assert logger.last["thread"]["task"] == "worker-7"


def test_levels_of_ones_own(logger: Logger) -> None:
    logger.log(17, "m")
    assert logger.last["level"] == "level 17"
    record = logging.makeLogRecord({"msg": "m", "name": "n", "levelname": "NOTICE"})
    logger.handler.handle(record)
    assert logger.last["level"] == "notice"


def test_a_record_with_hardly_anything_in_it(logger: Logger) -> None:
    odd = {"created": None, "levelname": 7, "name": None, "pathname": None, "process": None, "thread": None}
    logger.handler.handle(logging.makeLogRecord({"msg": None, **odd}))
    assert logger.last["message"] == "None"
    assert logger.last["problems"][0].startswith("time: ")


@pytest.mark.exhaustive
def test_what_is_too_long_is_shortened(logger: Logger) -> None:
    logger.info("%s", "x" * 10_000_000, extra={"user": "u1", "body": b"\xff" * 100_000})
    assert logger.last["message"]["bytes"] == 10_000_000
    assert logger.last["user"] == "u1"
    assert logger.last["level"] == "info"
    assert len(logger.disk.lines()[-1]) <= 32_768
    assert logger.handler.log.verify(full=True).verdict == "intact"


def test_endless_and_unpicklable_extras(logger: Logger) -> None:
    lock = threading.Lock()
    logger.info("m", extra={"lock": lock, "endless": range(10**15), "self": logger, "nan": float("nan"), 5: 6})
    assert logger.last["lock"]["$repr"] == repr(lock)
    assert logger.last["endless"]["items"] == 10**15
    assert logger.last["nan"] == {"$float": "NaN"}
    assert logger.last["extra"] == {"5": 6}
    with pytest.raises(TypeError):
        pickle.dumps(lock)


def test_a_repr_that_logs_ends(disk: Disk) -> None:
    logger = Logger(disk)

    class Chatty:
        def __repr__(self) -> str:
            logger.info("asked for %r", self)
            return "chatty"

    logger.info("m: %r", Chatty())
    messages = [r["message"] for r in chain(disk).events]
    assert messages[-1] == "m: chatty"
    assert len(messages) < 20
    logger.handler.close()


def test_a_record_within_others_that_runs_no_code_is_whole(logger: Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when one signal comes after the other while records are made."""
    monkeypatch.setattr("jsonl_audit.handlers.records.DEEPEST", 0)
    logger.info("%d", 1, extra={"user": ["u1"]})
    assert (logger.last["message"], logger.last["user"]) == ("1", ["u1"])
    logger.info("%s", Asked(), extra={"user": "u1"})
    assert (logger.last["message"], logger.last["problems"][0][:6]) == ("%s", "logged")


def test_what_queues_and_pickles_leave_of_a_record_is_kept(logger: Logger) -> None:
    error = ValueError("bad")
    record = logger.makeRecord("n", 40, "f", 1, "a %s", ("b",), (ValueError, error, None), "fn", {"user": "u1"}, "si")
    record.exc_text = "Traceback as text"
    state = {**record.__dict__, "exc_info": None}
    logger.handler.handle(logging.makeLogRecord(pickle.loads(pickle.dumps(state))))  # noqa: S301 - our own
    assert logger.last["exception"] == {"text": "Traceback as text"}
    assert logger.last["user"] == "u1"
    assert logger.last["args"] == ["b"]
    assert logger.last["stack"] == "si"


def test_a_record_is_left_as_it_was_for_other_handlers(logger: Logger) -> None:
    record = logger.makeRecord("n", 40, "f", 1, "a %s", ("b",), (ValueError, ValueError("v"), None), "fn", {"u": [1]})
    before = dict(record.__dict__)
    logger.handler.setFormatter(logging.Formatter())
    logger.handler.handle(record)
    assert record.__dict__ == before


_odd: Any = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.binary(max_size=5),
    st.builds(Raises), st.just(object), st.just(range(10**12)), st.tuples(st.integers()), st.just({"a": Raises()}),
    st.builds(ValueError, st.text(max_size=3)), st.lists(st.text(max_size=3), max_size=2),
)  # fmt: skip
_names = [*sorted(vars(logging.makeLogRecord({}))), "audit_type", "taskName", "extra", "type", "seq", "\ud83d"]


@pytest.mark.exhaustive
@given(st.dictionaries(st.sampled_from(_names), _odd, max_size=6), st.sets(st.sampled_from(_names)))
def test_whatever_a_record_is_like_it_is_recorded(changes: dict[str, Any], gone: set[str]) -> None:
    """What a filter, a record factory or a strange library may have made of it."""
    record = logging.makeLogRecord({"msg": "m", **changes})
    for name in gone & record.__dict__.keys():
        del record.__dict__[name]
    made = event_of(record)
    named = record.__dict__.get("audit_type")
    kind = named if isinstance(named, str) and TYPE.fullmatch(named) else "log.record"
    assert encode(shortened(made)).type == kind.encode()


def test_formatters_of_any_kind(logger: Logger) -> None:
    class Bare:
        def format(self, record: logging.LogRecord) -> str:
            return record.getMessage()

    logger.handler.setFormatter(Bare())  # type: ignore[arg-type]
    logger.error("m", exc_info=ValueError("v"))
    assert logger.last["exception"]["message"] == "v"
