"""Documents and bytes that are nearly right, as accidents and strangers leave them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

DEEP: Any = {}
for _ in range(80):
    DEEP = {"a": [DEEP]}
INTEGERS = [-1, 0, 1, 2**31, 2**63, 10**18, 10**30, 10**61, 10**310, 10**400]
NUMBERS: list[Any] = [*INTEGERS, 0.5, -0.0, 1e308]
NO_NUMBERS: list[Any] = [float("inf"), float("nan")]
TEXTS = [
    *("", " ", "0", "-1", "5", "1e3", "true", "x" * 5_000, "é\u202e\x1b[31m[/b]\n\0", "%2e%2e%2f"),
    *("..", "../../x", "/etc/hostname", "a/../../b", "raw/", ".", "//x", "\\", "C:\\x", "{id}"),
]
ODD: list[Any] = [True, False, [], {}, [[]], {"": ""}, [None], DEEP]


def share(of_all: float) -> int:
    """How many examples to try where each of them is dear: a share of the profile's."""
    return max(1, round(settings().max_examples * of_all))


ANY = (*NUMBERS, *NO_NUMBERS, *TEXTS, *ODD, None)
"""Values that are seldom what was meant."""


WAYS = ["drop", "put", "like", "like", "name", "double", "swap"]


@st.composite
def mangled(draw: st.DrawFn, document: Any, pool: Sequence[Any] = ANY) -> Any:
    """A document in which some things are gone, named anew, doubled, swapped or others.

    Or only others of the same kind, and more of them: those are looked at further.
    """
    document = copy.deepcopy(document)
    mildly = draw(st.booleans())
    for _ in range(draw(st.integers(1, 6 if mildly else 3))):
        parent, key = None, None
        here = document
        while isinstance(here, dict | list) and here:
            if parent is not None and not mildly and draw(st.booleans()):
                break
            parent = here
            key = draw(st.sampled_from(list(here) if isinstance(here, dict) else range(len(here))))
            here = here[key]
        if parent is not None:
            how = "like" if mildly else draw(st.sampled_from(WAYS))
            _change(draw, how, parent, key, pool)
    return document


def _change(draw: st.DrawFn, how: str, parent: Any, key: Any, pool: Sequence[Any]) -> None:
    if how == "drop":
        del parent[key]
    elif how == "put":
        parent[key] = copy.deepcopy(draw(st.sampled_from(pool)))
    elif how == "like":
        parent[key] = copy.deepcopy(draw(_like(parent[key], pool)))
    elif how == "name" and isinstance(parent, dict):
        parent[draw(st.sampled_from([key[:-1], f"{key}s", key.upper(), ""]))] = parent.pop(key)
    elif how == "double" and isinstance(parent, list):
        parent.insert(key, copy.deepcopy(parent[key]))
    else:
        other = draw(st.sampled_from(list(parent) if isinstance(parent, dict) else [0, -1]))
        parent[key], parent[other] = parent[other], parent[key]


def _like(old: Any, pool: Sequence[Any]) -> st.SearchStrategy[Any]:
    """Values of the same kind as the old one, so that others still look at them."""
    if isinstance(old, bool):
        return st.booleans()
    if isinstance(old, int):
        return st.integers(-3, 12) | st.sampled_from([*INTEGERS, *INTEGERS]) | st.integers()
    if isinstance(old, str):
        texts = [value for value in pool if isinstance(value, str)]
        return st.sampled_from(texts) | st.text(max_size=12)
    return st.sampled_from(pool)


@st.composite
def torn(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes of which some are gone, others, doubled or more."""
    begin = draw(st.integers(0, len(whole)))
    end = draw(st.integers(begin, min(len(whole), begin + 200)))
    middle = draw(
        st.sampled_from([b"", whole[begin:end] * 2, b"\0", b"\xff", b"\n", b'"', b"[" * 3_000])
        | st.binary(max_size=8)
    )
    return draw(
        st.sampled_from(
            [
                whole[:begin] + middle + whole[end:],
                whole[:begin],
                whole[begin:],
                b"\xef\xbb\xbf" + whole,
                whole.replace(b"\n", b"\r\n"),
                middle,
            ]
        )
    )
