"""The examples in docstrings are true: each runs, in an empty folder, so that it may say `audit.jsonl`."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import jsonl_audit

MODULES = ["jsonl_audit"] + [
    found.name
    for found in pkgutil.walk_packages(jsonl_audit.__path__, "jsonl_audit.")
    if not found.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    for number, example in enumerate(doctest.DocTestFinder(exclude_empty=True).find(module, name)):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        runner.run(example, out=said.append)
    assert not runner.failures, "".join(said)
