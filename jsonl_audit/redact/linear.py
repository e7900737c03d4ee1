"""Whether a regular expression of a user's can be let loose on any text: proved by looking at it, not by trying.

Python's engine goes back and tries again. What it may try at one place of a text is bounded here by counting: in how
many ways each repeat can end, times what follows it can then cost, where both can match the same character.
"""

from __future__ import annotations

import re
import sys
from typing import Any, NamedTuple

if sys.version_info >= (3, 11):
    from re import _constants, _parser
else:
    import sre_constants as _constants
    import sre_parse as _parser

__all__ = ["MOST_STEPS", "checked", "steps"]

MOST_STEPS = 4096
"""What a pattern may cost at each place of a text, in steps."""
_MANY = 1 << 30
_TURNS = 4096
_ALL = frozenset(range(257))
"""Characters 0 … 255, and 256 for all others."""


class _RefusedError(ValueError):
    pass


def checked(kind: str, pattern: str) -> re.Pattern[str]:
    """The pattern, compiled, if every text takes it time in proportion to its length.

    Raises ValueError where that cannot be proved, for what is no pattern, and for one that matches nothing at all.

    >>> checked("badge", r"EMP-[0-9]{6}").pattern
    'EMP-[0-9]{6}'
    >>> checked("bomb", r"(a+)+$")
    Traceback (most recent call last):
    ValueError: pattern 'bomb', '(a+)+$': a repeat without end within a repeat; give each repeat an end, as in {1,64}
    """
    try:
        compiled = re.compile(pattern)
        tree = _parser.parse(pattern)
        cost = steps(tree)
        least = tree.getwidth()[0]
    except _RefusedError as error:
        raise ValueError(f"pattern {kind!r}, {pattern!r}: {error}; give each repeat an end, as in {{1,64}}") from None
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"pattern {kind!r}, {pattern!r} is no regular expression: {error}") from None
    if least < 1:
        raise ValueError(f"pattern {kind!r}, {pattern!r} matches an empty text; it must match one character at least")
    if cost > MOST_STEPS:
        raise ValueError(
            f"pattern {kind!r}, {pattern!r} may take {cost if cost < _MANY else 'any number of'} steps at each place "
            f"of a text, the limit is {MOST_STEPS}; make its repeats shorter, or what follows one different from it"
        )
    return compiled


def steps(tree: Any) -> int:
    """An upper bound of the steps at one place of a text."""
    return _sequence(list(tree), last=True).cost


class _Part(NamedTuple):
    """What is known of a part of a pattern."""

    cost: int
    """How many steps it takes at most until it has failed in every way."""
    ways: int
    """In how many ways it can match at one place."""
    first: frozenset[int]
    """What characters it may begin with."""
    empty: bool
    """Whether it may match nothing."""
    single: frozenset[int] | None = None
    """What characters it is made of, where all it does is repeat one of a set."""


_NOTHING = _Part(1, 1, frozenset(), True)


def _sequence(items: list[Any], *, last: bool, repeated: bool = False) -> _Part:
    cost, ways, first, empty = 1, 1, frozenset[int](), True
    for number in range(len(items) - 1, -1, -1):
        operator, argument = items[number]
        part = _item(str(operator), argument, last=last and number == len(items) - 1, repeated=repeated)
        if part.ways > 1 and part.single is not None and not empty and not (part.single & first):
            # It may end in many ways, but what follows can begin behind one of them alone.
            cost = part.cost + part.ways + cost
        else:
            cost = part.cost + part.ways * cost
            ways *= part.ways
        cost, ways = min(cost, _MANY), min(ways, _MANY)
        first = part.first | first if part.empty else part.first
        empty = empty and part.empty
    return _Part(cost, ways, first, empty)


def _item(name: str, argument: Any, *, last: bool, repeated: bool) -> _Part:
    if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
        return _Part(1, 1, _one(name, argument), False)
    if name in ("AT", "CATEGORY"):
        return _NOTHING
    if name in ("ASSERT", "ASSERT_NOT"):
        return _NOTHING._replace(cost=_sequence(list(argument[1]), last=False, repeated=repeated).cost)
    if name == "SUBPATTERN":
        return _sequence(list(argument[3]), last=last, repeated=repeated)
    if name == "ATOMIC_GROUP":
        return _sequence(list(argument), last=last, repeated=repeated)._replace(ways=1)
    if name == "BRANCH":
        parts = [_sequence(list(branch), last=last, repeated=repeated) for branch in argument[1]]
        first = frozenset[int]().union(*(part.first for part in parts))
        empty = any(part.empty for part in parts)
        return _Part(sum(part.cost for part in parts), sum(part.ways for part in parts), first, empty)
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        part = _repeat(*argument, last=last, repeated=repeated)
        return part._replace(ways=1) if name == "POSSESSIVE_REPEAT" else part
    if name.startswith("GROUPREF"):
        raise _RefusedError("it refers back to a group")
    raise _RefusedError(f"it holds {name}, which is not known here")


def _one(name: str, argument: Any) -> frozenset[int]:
    return _characters(argument) if name == "LITERAL" else _set(argument) if name == "IN" else _ALL


def _repeat(least: int, most: int, inner: Any, *, last: bool, repeated: bool) -> _Part:
    items = list(inner)
    single = len(items) == 1 and str(items[0][0]) in ("LITERAL", "NOT_LITERAL", "ANY", "IN")
    part = _sequence(items, last=False, repeated=repeated or most > 1)
    if most is _constants.MAXREPEAT:
        if repeated:
            raise _RefusedError("a repeat without end within a repeat")
        if not last:
            raise _RefusedError("a repeat without end with something behind it")
        if not single:
            raise _RefusedError("a repeat without end of more than one character")
        return _Part(1, 1, part.first, least == 0)  # it goes on as far as it can, and what it took is not tried again
    if single:
        return _Part(most, most - least + 1, part.first, least == 0, part.first)
    if part.empty and most > 1:
        raise _RefusedError("a repeat of what may be empty")
    cost, ways, each = 0, 0, 1
    for turn in range(most + 1):
        ways = min(ways + (each if turn >= least else 0), _MANY)
        cost = min(cost + each * part.cost, _MANY)
        each = min(each * part.ways, _MANY)
        if turn > _TURNS:
            return _Part(_MANY, _MANY, part.first, least == 0)
    return _Part(cost, max(ways, 1), part.first, least == 0)


def _characters(code: int) -> frozenset[int]:
    """A character in both cases, as patterns may ignore it."""
    text = chr(code)
    return frozenset(min(ord(one), 256) for one in (text, *text.lower(), *text.upper()))


def _set(argument: Any) -> frozenset[int]:
    found: set[int] = set()
    for operator, value in argument:
        name = str(operator)
        if name == "NEGATE":
            return _ALL
        if name == "LITERAL":
            found |= _characters(value)
        elif name == "RANGE":
            for code in range(value[0], min(value[1], 255) + 1):
                found |= _characters(code)
            if value[1] > 255:
                found.add(256)
        elif str(value) == "CATEGORY_DIGIT":
            found |= {*range(0x30, 0x3A), 256}
        else:
            return _ALL
    return frozenset(found)
