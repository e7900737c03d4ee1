"""The list of planted faults stays true: each stands where it says, once, and the tests that must notice it exist."""

from __future__ import annotations

import ast
from collections import Counter

import pytest
from mutations import MUTATIONS, REPOSITORY, Mutation

pytestmark = pytest.mark.exhaustive


def test_each_fault_has_a_name_of_its_own() -> None:
    assert len(MUTATIONS) >= 12
    assert max(Counter(mutation.name for mutation in MUTATIONS).values()) == 1


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_fault_can_be_planted(mutation: Mutation) -> None:
    for file, old, new in mutation.edits:
        text = (REPOSITORY / "jsonl_audit" / file).read_text("utf-8")
        assert text.count(old) == 1, f"jsonl_audit/{file} has this {text.count(old)} times:\n{old}"
        ast.parse(text.replace(old, new))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_tests_that_must_notice_a_fault_exist(mutation: Mutation) -> None:
    assert mutation.tests
    for test in mutation.tests:
        file, _, name = test.partition("::")
        tree = ast.parse((REPOSITORY / "tests" / file).read_text("utf-8"))
        there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert not name or name.partition("[")[0] in there, f"{test} is not there"
