"""Whether a regular expression of a user's can be let loose on any text: proved by looking at it, not by trying.

Python's engine goes back and tries again. What it may try at one place of a text is bounded here by counting: in how
many ways each repeat can end, times what follows it can then cost, where both can match the same character.
"""

from __future__ import annotations

import re
import sys
from typing import Any

if sys.version_info >= (3, 11):
    from re import _constants, _parser
else:
    import sre_constants as _constants
    import sre_parse as _parser

__all__ = ["MOST_STEPS", "checked", "steps"]

MOST_STEPS = 4096
"""What a pattern may cost at each place of a text, in steps."""
_MANY = 1 << 30
_ALL = frozenset(range(257))
"""Characters 0 … 255, and 256 for all others."""


_Cost = tuple[int, frozenset[int], bool, int, frozenset[int]]


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
    return _sequence(list(tree), last=True)[0]


def _sequence(items: list[Any], *, last: bool, repeated: bool = False) -> tuple[int, frozenset[int], bool]:
    """The cost of a sequence, what characters it may begin with, and whether it may be empty."""
    cost, first, empty = 1, frozenset[int](), True
    for number in range(len(items) - 1, -1, -1):
        operator, argument = items[number]
        ends = last and number == len(items) - 1
        own, begins, optional, ways, inside = _item(operator, argument, last=ends, repeated=repeated)
        # Each way in which it can end is one more try of all that follows: unless what follows cannot begin with
        # what it repeats, so that only one of these tries goes beyond its first character.
        if ways > 1 and not (inside & first) and not empty:
            cost = own + ways + cost
        else:
            cost = own + ways * cost
        cost = min(cost, _MANY)
        first = begins | first if optional else begins
        empty = empty and optional
    return cost, first, empty


def _item(operator: Any, argument: Any, *, last: bool, repeated: bool) -> _Cost:
    """Of one item: its cost, its first characters, whether it may be empty, in how many ways it can end, and what
    characters stand in it."""
    name = str(operator)
    if name == "LITERAL":
        own = _characters(argument)
        return 1, own, False, 1, own
    if name == "NOT_LITERAL":
        return 1, _ALL, False, 1, _ALL
    if name == "ANY":
        return 1, _ALL, False, 1, _ALL
    if name == "IN":
        own = _set(argument)
        return 1, own, False, 1, own
    if name in ("AT", "CATEGORY"):
        return 1, frozenset(), True, 1, frozenset()
    if name in ("ASSERT", "ASSERT_NOT"):
        cost, _, _ = _sequence(list(argument[1]), last=False, repeated=repeated)
        return cost, frozenset(), True, 1, frozenset()
    if name == "SUBPATTERN":
        cost, first, empty = _sequence(list(argument[3]), last=last, repeated=repeated)
        return cost, first, empty, cost, _ALL
    if name == "ATOMIC_GROUP":
        cost, first, empty = _sequence(list(argument), last=last, repeated=repeated)
        return cost, first, empty, 1, _ALL
    if name == "BRANCH":
        cost, first, empty = 0, frozenset[int](), False
        for branch in argument[1]:
            one, begins, may = _sequence(list(branch), last=last, repeated=repeated)
            cost, first, empty = cost + one, first | begins, empty or may
        return cost, first, empty, cost, _ALL
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return _repeat(argument, last=last, repeated=repeated, possessive=name == "POSSESSIVE_REPEAT")
    if name in ("GROUPREF", "GROUPREF_EXISTS", "GROUPREF_IGNORE"):
        raise _RefusedError("it refers back to a group")
    raise _RefusedError(f"it holds {name}, which is not known here")


def _repeat(argument: Any, *, last: bool, repeated: bool, possessive: bool) -> _Cost:
    least, most, inner = argument
    items = list(inner)
    single = len(items) == 1 and str(items[0][0]) in ("LITERAL", "NOT_LITERAL", "ANY", "IN")
    cost, first, empty = _sequence(items, last=False, repeated=repeated or most > 1)
    if most is _constants.MAXREPEAT:
        if repeated:
            raise _RefusedError("a repeat without end within a repeat")
        if not last:
            raise _RefusedError("a repeat without end with something behind it")
        if not single:
            raise _RefusedError("a repeat without end of more than one character")
        return 1, first, least == 0, 1, first  # it goes on as far as it can, and what it took is not tried again
    if single:
        return most, first, least == 0, 1 if possessive else most - least + 1, first
    if empty and most > 1:
        raise _RefusedError("a repeat of what may be empty")
    ways = 1
    total = 0
    for _ in range(min(most, 64)):
        ways = min(ways * max(cost, 1), _MANY)
        total = min(total + ways, _MANY)
    return total, first, least == 0, 1 if possessive else total, _ALL


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
