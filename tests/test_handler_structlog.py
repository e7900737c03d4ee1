"""structlog's events go into an audit log as they are: bound values, level, exception, with nothing rendered."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from disk import Calls, Disk, chain

from jsonl_audit.handlers import AuditLoggerFactory

structlog: Any = pytest.importorskip("structlog", reason="structlog is not installed: it is of the extra `test`")

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture
def factory(disk: Disk) -> Iterator[AuditLoggerFactory]:
    made = AuditLoggerFactory(disk.path, fsync="never")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
        ],
        logger_factory=made,
        cache_logger_on_first_use=False,
    )
    yield made
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    made.close()


def _last(disk: Disk) -> dict[str, Any]:
    return chain(disk).events[-1]


def test_what_is_bound_and_logged_is_appended(factory: AuditLoggerFactory, disk: Disk) -> None:
    structlog.contextvars.bind_contextvars(correlation="c-1")
    log = structlog.get_logger("shop").bind(actor={"id": "u1"})
    receipt = log.info("order placed", amount=3, outcome="success", audit_type="order.placed")
    record = _last(disk)
    assert receipt.hash == record["hash"]
    assert record["type"] == "order.placed"
    assert record["message"] == "order placed"
    assert record["level"] == "info"
    assert record["logger"] == "shop"
    assert record["time"] <= record["ts"]
    assert (record["actor"], record["amount"], record["correlation"]) == ({"id": "u1"}, 3, "c-1")
    assert not {"event", "timestamp", "extra", "audit_type"} & record.keys()


def test_the_level_is_known_without_a_processor(factory: AuditLoggerFactory, disk: Disk) -> None:
    structlog.configure(processors=[], logger_factory=factory)
    log = structlog.get_logger()
    for name, level in {
        "debug": "debug", "info": "info", "warning": "warning", "warn": "warning", "error": "error",
        "critical": "critical", "fatal": "critical",
    }.items():  # fmt: skip
        getattr(log, name)("m")
        assert _last(disk)["level"] == level
    assert _last(disk)["type"] == "log.record"


def test_exceptions_and_stacks_stand_in_members(factory: AuditLoggerFactory, disk: Disk) -> None:
    log = structlog.get_logger()
    try:
        raise ValueError("bad")
    except ValueError as error:
        log.exception("failed")
        assert _last(disk)["level"] == "error"
        assert _last(disk)["exception"]["frames"][0]["function"] == "test_exceptions_and_stacks_stand_in_members"
        log.warning("failed", exc_info=error)
    assert _last(disk)["exception"]["message"] == "bad"
    log.info("here", stack_info=True)
    assert _last(disk)["stack"][-1]["function"]
    log.info("none", exc_info=False)
    assert "exception" not in _last(disk)
    structlog.configure(processors=[structlog.processors.format_exc_info], logger_factory=factory)
    structlog.get_logger().error("m", exc_info=ValueError("as text"))
    assert "ValueError: as text" in _last(disk)["exception"]["text"]
    structlog.configure(processors=[structlog.processors.dict_tracebacks], logger_factory=factory)
    structlog.get_logger().error("m", exc_info=ValueError("as dicts"))
    assert _last(disk)["exception"][0]["exc_value"] == "as dicts"


def test_clashing_and_odd_names_are_kept(factory: AuditLoggerFactory, disk: Disk) -> None:
    factory().info(event="m", seq=7, self=1, message="theirs", args=[1], **{"a b": object})
    record = _last(disk)
    assert record["extra"] == {"seq": 7, "message": "theirs", "args": [1]}
    assert record["self"] == 1
    assert record["message"] == "m"
    assert record["a b"]["$repr"] == repr(object)


def test_a_renderer_left_in_place_costs_the_members_but_not_the_event(factory: AuditLoggerFactory, disk: Disk) -> None:
    structlog.configure(processors=[structlog.processors.JSONRenderer()], logger_factory=factory)
    structlog.get_logger().warning("m", n=1)
    assert _last(disk)["message"] in ('{"n": 1, "event": "m"}', '{"event": "m", "n": 1}')
    assert _last(disk)["level"] == "warning"


def test_every_kind_of_bound_logger(factory: AuditLoggerFactory, disk: Disk) -> None:
    for wrapper in (structlog.BoundLogger, structlog.make_filtering_bound_logger(20)):
        structlog.configure(wrapper_class=wrapper, logger_factory=factory)
        structlog.get_logger().bind(a=1).error("m", b=2)
        assert (_last(disk)["a"], _last(disk)["b"]) == (1, 2)

    async def later() -> None:
        await structlog.get_logger().ainfo("from a task", c=3)

    asyncio.run(later())
    assert _last(disk)["c"] == 3


def test_what_is_too_long_is_shortened_and_what_fails_raises_not(
    disk: Disk, calls: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    factory = AuditLoggerFactory(disk.path, fsync="never", spill_path=disk.folder.parent)
    structlog.configure(processors=[], logger_factory=factory)
    log = structlog.get_logger()
    log.info("x" * 1_000_000)
    assert _last(disk)["message"]["bytes"] == 1_000_000
    calls.fail("write", for_ever=True)
    assert log.info("lost") is None
    assert factory.lost == 1
    assert "nor to its spill log" in caplog.text
    calls.heal()
    factory.flush()
    assert log.info("m").recorded
    structlog.reset_defaults()
    factory.close()
    assert chain(disk).lost[0]["count"] == 1


def test_factories_and_loggers_pickle(factory: AuditLoggerFactory, disk: Disk) -> None:
    logger = pickle.loads(pickle.dumps(factory("shop")))  # noqa: S301 - our own
    factory.close()
    logger.info(event="m")
    logger.factory.close()
    assert _last(disk)["logger"] == "shop"
