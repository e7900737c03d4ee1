"""Texts that a regular expression matches, drawn by lot: what it says, without what it only looks at."""

from __future__ import annotations

import re
import sys
from random import Random
from typing import Any

if sys.version_info >= (3, 11):
    from re import _parser
else:
    import sre_parse as _parser

__all__ = ["written"]


def written(pattern: str, lot: Random) -> str:
    """A text made of what a pattern consists of; most often it matches."""
    return _sequence(_parser.parse(pattern), lot)


def _sequence(items: Any, lot: Random) -> str:
    return "".join(_item(str(operator), argument, lot) for operator, argument in items)


def _item(operator: str, argument: Any, lot: Random) -> str:
    if operator == "LITERAL":
        return chr(argument)
    if operator in ("ANY", "NOT_LITERAL"):
        return "x"
    if operator == "IN":
        return lot.choice(_characters(argument))
    if operator in ("MAX_REPEAT", "MIN_REPEAT"):
        least, most, inner = argument
        return "".join(_sequence(inner, lot) for _ in range(lot.randint(least, min(most, least + 20))))
    if operator == "SUBPATTERN":
        return _sequence(argument[3], lot)
    if operator == "BRANCH":
        return _sequence(lot.choice(argument[1]), lot)
    assert operator in ("ASSERT", "ASSERT_NOT", "AT"), operator
    return ""


def _characters(members: Any) -> list[str]:
    text = "".join(map(chr, range(0x20, 0x7F)))
    if str(members[0][0]) == "NEGATE":
        return [one for one in text if not any(_holds(member, one) for member in members[1:])]
    return [one for one in text + "\t\n" if any(_holds(member, one) for member in members)]


def _holds(member: Any, character: str) -> bool:
    operator, argument = str(member[0]), member[1]
    if operator == "LITERAL":
        return ord(character) == argument
    if operator == "RANGE":
        return bool(argument[0] <= ord(character) <= argument[1])
    tests = {"CATEGORY_SPACE": r"\s", "CATEGORY_WORD": r"\w", "CATEGORY_DIGIT": r"\d"}
    return re.fullmatch(tests[str(argument)], character) is not None
