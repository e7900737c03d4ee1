"""The house stays as it was planned: who may import whom, how big a module is, what importing costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.exhaustive  # alike on every Python

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "jsonl_audit"

# From the top of the house to the bottom. A module imports from its own line only where that line
# is one package, and else from lines below it. writer, reader and verifier share a line: they do
# not import each other. A package is named once and means all its modules.
FLOORS: list[set[str]] = [
    {"__main__"},
    {"cli"},
    {"doctor"},
    {"ship", "receive", "report", "comparison", "slices"},
    {"manifest"},
    {"handlers"},
    {"aio", "persistence", "views"},
    {"log"},
    {"accessed"},
    {"intake"},
    {"context"},
    {"writer", "reader", "verifier"},
    {"artifacts"},
    {"snapshot"},
    {"succession", "rotated"},
    {"scan", "content", "mark", "shipped"},
    {"segment", "rules", "lines", "batches"},
    {"links", "shorten", "references", "events", "redact"},
    {"record"},
    {"values", "instants"},
    {"forms", "ids"},
    {"storage", "entrusted", "acting"},
    {"errors", "boot", "process", "spelling", "visible"},
]
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}
ALLOWED_AT_THE_TOP = {
    "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "jsonl_audit", "tests", "fuzz", "docs",
}  # fmt: skip
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "base"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def _part(module: Path) -> str:
    """The room of the house that a module belongs to: `cli` for cli/tail.py, `scan` for scan.py."""
    first = module.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def _at_run_time(module: Path) -> ast.Module:
    """What a module is when it runs: without what only type checkers read."""
    tree = ast.parse(module.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = [ast.Pass()]
    return tree


def _imported_parts(module: Path) -> set[str]:
    """The rooms that a module imports from at run time, wherever in the module the import stands."""
    inside = ["jsonl_audit", *module.relative_to(PACKAGE).parts[:-1]]
    tree = _at_run_time(module)
    found = set()
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = inside[: len(inside) - node.level + 1] if node.level else []
            origin = ".".join([*start, *([node.module] if node.module else [])])
            names = [f"{origin}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "jsonl_audit" and len(parts) > 1 and parts[1] in FLOOR_OF:
                found.add(parts[1])
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_depends_only_on_what_lies_below_it(module: Path) -> None:
    here = _part(module)
    if here == "__init__":
        pytest.skip("__init__ hands out the names of all floors")
    assert here in FLOOR_OF, f"{here} has no floor yet: give it one in FLOORS"
    above = {
        other for other in _imported_parts(module) if other != here and FLOOR_OF[other] <= FLOOR_OF[here]
    }
    assert not above, f"{here} must not import from {', '.join(sorted(above))}"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_fits_in_the_head(module: Path) -> None:
    lines = module.read_text("utf-8").count("\n")
    assert lines <= 400, f"{lines} lines are two modules"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_says_its_one_reason_to_exist(module: Path) -> None:
    told = ast.get_docstring(ast.parse(module.read_text("utf-8")))
    assert told, "the first line of a module says why it exists"
    assert len(told.splitlines()[0]) > 20


def test_no_module_has_a_name_that_says_nothing() -> None:
    names = {part.removesuffix(".py") for path in MODULES for part in path.relative_to(PACKAGE).parts}
    assert not names & NAMES_THAT_SAY_NOTHING


def test_the_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()


def test_only_the_names_of_the_card_stand_at_the_top_level() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if listed.returncode:
        pytest.skip("not a git checkout: what is committed cannot be told from what lies about")
    tops = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert {name for name in tops if not name.startswith(".")} <= ALLOWED_AT_THE_TOP


def _loaded_by(statement: str) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys; print(*sys.modules)"],
        capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL, cwd=REPOSITORY,
    )  # fmt: skip
    return set(run.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"portalocker", "click", "importlib.metadata", "asyncio", "multiprocessing"}
    # What this interpreter loads anyhow, site-packages with .pth files included, is not our doing.
    assert not (_loaded_by("import jsonl_audit") - _loaded_by("pass")) & heavy


def test_the_core_depends_on_four_packages_and_no_others() -> None:
    core = {"orjson", "portalocker", "blake3", "click"}
    extras = {"zstandard", "compression", "fsspec"}
    foreign = set()
    for module in MODULES:
        for node in ast.walk(_at_run_time(module)):
            if isinstance(node, ast.Import):
                foreign |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                foreign.add(node.module.split(".")[0])
    assert foreign - set(sys.stdlib_module_names) - {"jsonl_audit"} <= core | extras
