"""The documentation is true: examples run, hashes are right, nothing public is left out, links lead on."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import importlib.util
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click
import pytest
from blake3 import blake3

import jsonl_audit
from jsonl_audit import errors, instants, record
from jsonl_audit.cli import app
from jsonl_audit.reader import Filters, dates

pytestmark = pytest.mark.exhaustive

if TYPE_CHECKING:
    from types import ModuleType

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"
FORMAT = DOCS / "format.md"
README = REPOSITORY / "README.md"
PAGES = [README, *sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)]

_FENCE = re.compile(r"^```(?P<language>[\w-]*)[^\n]*\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]\n]*\]\((?!https?:|mailto:)(?P<target>[^)\s]+)\)")


def _name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def _blocks(page: Path, language: str) -> list[str]:
    return [m["code"] for m in _FENCE.finditer(page.read_text("utf-8")) if m["language"] == language]


def _anchors(page: Path) -> set[str]:
    """What a link may point to within a page: its headings, as GitHub and MyST spell them, and labels."""
    text = _FENCE.sub("", page.read_text("utf-8"))
    headings = re.findall(r"^#{1,3} (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE))


# -- the worked example of the format -------------------------------------------------------------


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The three lines of the worked example, saved as the page tells the reader to."""
    path = tmp_path / "audit.jsonl"
    path.write_text(_blocks(FORMAT, "json")[0], "utf-8")
    return path


def test_each_line_of_the_worked_example_hashes_and_links_as_the_page_says(example: Path) -> None:
    before = "0" * 64
    lines = example.read_bytes().splitlines(keepends=True)
    assert len(lines) == 3
    for seq, line in enumerate(lines, 1):
        record = json.loads(line)
        assert list(record)[:4] == ["seq", "ts", "id", "type"]
        assert record["seq"] == seq
        assert line[-150:-141] == b',"prev":"'
        assert line[-77:-67] == b'","hash":"'
        assert line[-141:-77].decode() == record["prev"] == before
        assert line[-67:-3].decode() == record["hash"] == blake3(line[:-76]).hexdigest()
        before = record["hash"]


def test_the_worked_example_has_the_lengths_and_the_digest_that_the_page_names(example: Path) -> None:
    page = FORMAT.read_text("utf-8")
    second = example.read_bytes().splitlines(keepends=True)[1]
    assert f"The second line is {len(second)} bytes long" in page
    assert f"its first {len(second[:-76])} are hashed" in page
    previous = json.loads(_blocks(FORMAT, "json")[1])
    assert previous["bytes"] == example.stat().st_size
    assert previous["blake3"] == blake3(example.read_bytes()).hexdigest()
    records = [json.loads(line) for line in example.read_text("utf-8").splitlines()]
    times = [record.get("time", record["ts"]) for record in records]
    assert previous["time"] == [min(times), max(times)]


@pytest.mark.skipif(not shutil.which("b3sum"), reason="b3sum is not installed")
def test_the_shell_lines_of_the_format_page_print_what_the_page_shows(example: Path) -> None:
    commands = _blocks(FORMAT, "sh")
    shown = _blocks(FORMAT, "text")[-len(commands) :]
    for command, output in zip(commands, shown, strict=True):
        run = subprocess.run(
            ["sh", "-c", command], cwd=example.parent, capture_output=True, text=True, check=True
        )
        assert run.stdout == output


# -- tables of odd values -------------------------------------------------------------------------


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    y: int


def _rows(heading: str) -> list[tuple[str, str]]:
    """The rows of the table under a heading of the page on odd values, both cells without backquotes."""
    page = (DOCS / "reference" / "values.md").read_text("utf-8")
    section = page.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(.+)` \| `(.+)` \|$", section, re.MULTILINE)


def _value(expression: str) -> Any:
    names = {
        "Color": Color, "Decimal": Decimal, "Point": Point, "PurePosixPath": PurePosixPath, "UUID": UUID,
        "date": datetime.date, "datetime": datetime.datetime, "timezone": datetime.timezone,
    }  # fmt: skip
    return eval(expression, names)  # noqa: S307 - a cell of our own page


@pytest.mark.parametrize(("expression", "form"), _rows("Values"))
def test_an_odd_value_takes_the_form_that_the_page_shows(expression: str, form: str) -> None:
    assert _recorded({"details": {"value": _value(expression)}})["details"]["value"] == json.loads(form)


@pytest.mark.parametrize(("expression", "form"), _rows("Keys"))
def test_an_odd_key_becomes_what_the_page_shows(expression: str, form: str) -> None:
    assert list(_recorded({"details": {_value(expression): 0}})["details"]) == [json.loads(form)]


@pytest.mark.parametrize(("event", "members"), _rows("Reserved names"))
def test_a_reserved_name_goes_where_the_page_says(event: str, members: str) -> None:
    assert _recorded(_value(event)) == json.loads(members)


def _recorded(event: dict[Any, Any]) -> dict[str, Any]:
    """The members that an event of the caller's has in the record."""
    members = record.encode(event).members.decode()
    return json.loads("{" + members[1:] + "}")


_DATES = re.findall(
    r"^\| `(.+)` \| `(\d{4}-.+Z)` \|$", (DOCS / "reference" / "filters.md").read_text("utf-8"), re.MULTILINE
)


@pytest.mark.parametrize(("written", "instant"), _DATES)
def test_a_date_means_what_the_page_says(written: str, instant: str) -> None:
    assert dates.instant(written, now=instants.micros("2026-11-21T10:11:12.000000Z")) == instant


def test_every_filter_has_its_row() -> None:
    page = (DOCS / "reference" / "filters.md").read_text("utf-8")
    names = {*Filters.__annotations__, "after", "limit", "offset", "reverse"}
    assert {name for name in names if f"`{name}`" not in page} == set()


# -- examples and links ---------------------------------------------------------------------------


@pytest.mark.exhaustive  # what a page shows is the same with every Python
@pytest.mark.parametrize("page", [page for page in PAGES if _blocks(page, "python")], ids=_name)
def test_the_python_examples_of_a_page_run_one_after_another(page: Path, tmp_path: Path) -> None:
    script = tmp_path / "page.py"
    script.write_text("\n".join(_blocks(page, "python")), "utf-8")
    run = subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr


def _shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a shell line of a page as a reader would: this package's command first on PATH, plain output."""
    home = folder / ".home"
    home.mkdir(exist_ok=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder, env={"PATH": path, "HOME": str(home), "LC_ALL": "C.UTF-8", "COLUMNS": "100", "TZ": "UTC"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def _sessions(page: Path) -> list[tuple[str, str]]:
    """The commands of a page's console blocks, each with the output that the page shows behind it."""
    found = []
    for block in _blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            while command.endswith("\\"):
                more, _, output = output.partition("\n")
                command = f"{command}\n{more.removeprefix('> ')}"
            found.append((command, output))
    return found


@pytest.mark.exhaustive
@pytest.mark.parametrize("page", [page for page in PAGES if _blocks(page, "console")], ids=_name)
def test_the_sessions_of_a_page_go_as_it_shows(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """What differs from run to run stands as an ellipsis in the page, and fits anything."""
    text = page.read_text("utf-8")
    if "gateway_day.py" in text:
        pytest.importorskip("uvicorn")
        request.getfixturevalue("loopback")
    if "agent.py" in text and not shutil.which("git"):
        pytest.skip("git not installed")
    shutil.copy(DOCS / "tutorial" / "events.jsonl", tmp_path)
    (tmp_path / "docs").symlink_to(DOCS)
    for command, shown in _sessions(page):
        needed = {"jq", "b3sum"} & set(re.findall(r"\w+", command))
        if any(not shutil.which(tool) for tool in needed):
            pytest.skip(f"{' and '.join(sorted(needed))} not installed")
        said = "".join(f"{line.rstrip()}\n" for line in _shell(command, tmp_path).stdout.splitlines())
        pattern = ".*?".join(re.escape(piece) for piece in shown.split("…"))
        assert re.fullmatch(pattern, said, re.DOTALL), f"$ {command}\n{said}\n--- the page shows\n{shown}"


@pytest.mark.parametrize("command", _blocks(DOCS / "howto" / "read.md", "sh"))
def test_other_tools_read_a_log_by_the_commands_of_the_page(command: str, tmp_path: Path) -> None:
    tools = {"jq", "b3sum", "rg", "lnav"} & set(re.findall(r"\w+", command))
    if missing := [tool for tool in sorted(tools) if not shutil.which(tool)]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    if "duckdb" in command:
        pytest.importorskip("duckdb")
    (tmp_path / "docs").symlink_to(DOCS)
    with jsonl_audit.AuditLog(tmp_path / "audit.jsonl") as log:
        for number in range(40):
            outcome = ("success", "failure", "denied")[number % 3]
            log.append("exec.completed", actor={"id": f"u{number % 4}"}, outcome=outcome)
            if number in (10, 25):
                log.rotate()
    (tmp_path / ".home").mkdir()
    if "lnav -n" in command:
        _shell("lnav -i docs/howto/lnav-format.json", tmp_path)
    run = _shell(command, tmp_path)
    assert run.returncode == 0, run.stdout
    if "lnav -i" not in command:
        assert run.stdout.strip()
    assert not re.search(r"FAILED|does not link|error:", run.stdout), run.stdout


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    text = _FENCE.sub("", page.read_text("utf-8"))
    broken = []
    for target in (m["target"] for m in _LINK.finditer(text)):
        file, _, anchor = target.partition("#")
        found = (page.parent / file).resolve() if file else page
        if not found.exists() or (anchor and found.suffix == ".md" and anchor not in _anchors(found)):
            broken.append(target)
    assert not broken


def test_every_page_can_be_reached_from_the_index() -> None:
    reached, waiting = set(), [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        listed = re.findall(r"^```\{toctree\}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        names = [line for block in listed for line in block.splitlines() if line and line[0] != ":"]
        waiting += [(page.parent / f"{name}.md").resolve() for name in names]
    assert reached == {page for page in PAGES if page != README}


# -- nothing public is left out -------------------------------------------------------------------


def test_every_module_of_the_package_has_its_line_in_the_architecture() -> None:
    text = (DOCS / "explanation" / "architecture.md").read_text("utf-8")
    entries = (REPOSITORY / "jsonl_audit").iterdir()
    rooms = {
        f"{entry.name}/" if entry.is_dir() else entry.name
        for entry in entries
        if entry.name not in {"__init__.py", "__main__.py", "py.typed", "__pycache__"}
    }
    assert {room for room in rooms if room not in text} == set()


def test_every_public_name_stands_in_the_reference_of_the_api() -> None:
    page = (DOCS / "reference" / "api.md").read_text("utf-8")
    shown = set(re.findall(r"^\.\. auto\w+:: jsonl_audit\.(\w+)$", page, re.MULTILINE))
    assert shown == set(jsonl_audit.__all__)


@pytest.mark.parametrize("name", [name for name in jsonl_audit.__all__ if name != "aio"])
def test_a_public_name_and_its_public_members_say_what_they_are(name: str) -> None:
    thing = getattr(jsonl_audit, name)
    silent = [] if inspect.getdoc(thing) else [name]
    if inspect.isclass(thing):
        silent += [
            member
            for member, value in vars(thing).items()
            if not member.startswith("_")
            and (inspect.isfunction(value) or isinstance(value, property))
            and not inspect.getdoc(value)
        ]
    assert silent == []


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """docs/generate_cli.py, which is no module of the package."""
    spec = importlib.util.spec_from_file_location("generate_cli", DOCS / "generate_cli.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_of_the_command_line_is_what_the_commands_say(generator: ModuleType) -> None:
    written = (DOCS / "reference" / "cli.md").read_text("utf-8")
    assert written == generator.page(app.jsonl_audit), "run `python docs/generate_cli.py`"


@pytest.mark.parametrize("name", app.COMMANDS)
def test_a_command_explains_itself_its_options_and_gives_examples(name: str) -> None:
    command = app.jsonl_audit.get_command(click.Context(app.jsonl_audit), name)
    assert command is not None
    assert command.help
    assert "jsonl-audit " in command.help + (command.epilog or "")
    options = [option for option in command.params if isinstance(option, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_every_error_has_its_row() -> None:
    page = (DOCS / "reference" / "errors.md").read_text("utf-8")
    assert [name for name in errors.__all__ if f"`{name}`" not in page] == []


# -- the README is what CI runs -------------------------------------------------------------------


def _first_line_with(words: str) -> str:
    return next(line for line in README.read_text("utf-8").splitlines() if words in line)


@pytest.mark.parametrize("words", ["jsonl-audit demo", "-m pytest"])
def test_the_first_line_of_the_readme_with_a_command_is_that_command_whole(words: str) -> None:
    line = _first_line_with(words)
    assert any(line in block.splitlines() for block in _blocks(README, "sh"))
    assert line.startswith("python3 -m venv .venv && .venv/bin/pip install ")


def test_ci_takes_both_commands_from_the_readme() -> None:
    script = (REPOSITORY / ".ci" / "run").read_text("utf-8")
    for words in ("jsonl-audit demo", "-m pytest"):
        assert f"readme_command '{words}'" in script
