"""The search for leaks is worth something only if it finds them."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from tests.chaos.leaks import found, keys_of

KEY = "k/ey+of=the%shop'7"
WRITERS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "loud": str.upper,
    "a part": lambda key: key[4:14],
    "a URL": lambda key: quote(key, safe=""),
    "a form": quote_plus,
    "a URL in a URL in a URL": lambda key: quote(quote(quote(key, safe=""), safe=""), safe=""),
    "JSON": lambda key: json.dumps({"key": key}).replace("/", "\\/"),
    "JSON in JSON": lambda key: json.dumps(json.dumps(json.dumps(key))),
    "JSON by numbers": lambda key: "".join(f"\\u{ord(c):04X}" for c in key),
    "HTML": html.escape,
    "HTML by numbers": lambda key: "".join(f"&#{ord(c)};" for c in key),
    "a script": lambda key: "".join(f"\\x{ord(c):02x}" for c in key),
    "UTF-16": lambda key: key.encode("utf-16-le").decode(),
    "base64": lambda key: base64.b64encode(f"user:{key}".encode()).decode(),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_leak_is_found_in_every_spelling(writer: str) -> None:
    assert found(f"before {WRITERS[writer](KEY)} behind".encode(), {KEY})


@pytest.mark.parametrize(
    "innocent", ["", "***", '{"key": "***", "of": "the shop"}', "k/ey+of", quote("shop'7")]
)
def test_what_is_no_leak_is_none(innocent: str) -> None:
    assert found(innocent.encode(), {KEY, "testsecret"}) is None


def test_keys_are_known_by_the_names_of_their_variables() -> None:
    environment = {
        "SHOP_KEY": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_SESSION_TOKEN": "c",
        "AWS_ACCESS_KEY_ID": "no",
        "TMPDIR": "no",
        "OTHER_KEY": None,
    }
    assert keys_of(environment) == {"a", "b", "c"}
