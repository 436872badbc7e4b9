import json
import string
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ashore.errors import Misconfigured
from ashore.redaction import Redactor, auth_headers, printable, secret_of
from tests.unit.conftest import Declare

PLAIN = '[[source.api.endpoint]]\nname = "things"\npath = "things"\n'
BEARER = 'auth = { bearer_env = "KEY" }\n' + PLAIN
HEADER = 'auth = { header = "X-Api-Key", env = "KEY" }\n' + PLAIN
PARAM = 'auth = { param = "api_key", env = "KEY" }\n' + PLAIN
VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F))
SECRETS = st.text(VISIBLE, min_size=8, max_size=30)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="*"), max_size=20)
WRITERS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "one segment": lambda s: quote(s, safe=""),
    "a path": quote,
    "a form": quote_plus,
    "as encodeURIComponent does": lambda s: quote(s, safe="!'()*"),
    "lower hex": lambda s: quote(s, safe="").replace("%2F", "%2f").replace("%3D", "%3d"),
    "every byte": lambda s: "".join(f"%{ord(c):02X}" for c in s),
    "JSON": lambda s: json.dumps(s)[1:-1],
    "JSON with escaped slashes": lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
    "JSON safe for HTML": lambda s: json.dumps(s)[1:-1].replace("+", "\\u002b"),
}


@pytest.mark.parametrize("writer", WRITERS)
@given(SECRETS, TEXT, TEXT)
@example("abc+/def==", "", "")
@example("a!b(c)d/e", "x", "y")
@example('a"b\\cdef', "", "")
def test_no_spelling_of_a_secret_survives(
    writer: str, secret: str, before: str, behind: str
) -> None:
    written = WRITERS[writer](secret)
    cleaned = Redactor(secret).clean(f"{before}{written}{behind}")
    assert secret not in cleaned
    assert written not in cleaned
    assert "***" in cleaned


@pytest.mark.parametrize("writer", WRITERS)
@given(SECRETS, st.binary(max_size=10))
@example("abc+/def==", b"")
def test_a_body_that_holds_a_secret_is_seen(writer: str, secret: str, around: bytes) -> None:
    written = WRITERS[writer](secret).encode()
    assert Redactor(secret).leaks(around + written + around)


@given(SECRETS, st.lists(st.booleans(), min_size=30, max_size=30))
def test_percent_encoding_of_any_of_its_characters_hides_nothing(
    secret: str, encoded: list[bool]
) -> None:
    pairs = zip(secret, encoded, strict=False)
    written = "".join(f"%{ord(c):02x}" if hidden else c for c, hidden in pairs)
    assert written not in Redactor(secret).clean(f"http://x/?k={written}&a=1")


@given(SECRETS, TEXT, st.integers(2, 5))
def test_every_occurrence_is_taken_out(secret: str, between: str, times: int) -> None:
    assume(secret not in between)
    cleaned = Redactor(secret).clean(between.join([secret] * times))
    assert secret not in cleaned
    assert cleaned.count("***") >= 1


@given(st.text(max_size=50), st.binary(max_size=50))
def test_without_a_secret_nothing_is_touched(text: str, body: bytes) -> None:
    redactor = Redactor(None)
    assert redactor.clean(text) == text
    assert not redactor.leaks(body)


@given(st.text(string.ascii_lowercase, max_size=50))
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert Redactor("0123456789").clean(text) == text
    assert not Redactor("0123456789").leaks(text.encode())


def test_a_secret_comes_from_its_variable(declare: Declare) -> None:
    for shape in (BEARER, HEADER, PARAM):
        assert secret_of(declare(shape), {"KEY": "0123456789"}) == "0123456789"
    assert secret_of(declare(PLAIN), {"KEY": "0123456789"}) is None


@pytest.mark.parametrize(
    "secret", ["", "1234567", " 12345678", "12345678\n", "1234\t5678", "12345678é"]
)
def test_a_secret_that_cannot_be_one_names_its_variable_and_never_itself(
    declare: Declare, secret: str
) -> None:
    with pytest.raises(Misconfigured, match="KEY") as refused:
        secret_of(declare(BEARER), {"KEY": secret} if secret else {})
    assert not secret or secret.strip() not in str(refused.value)


def test_a_secret_is_sent_in_one_of_three_forms(declare: Declare) -> None:
    def headers(shape: str) -> dict[str, str]:
        return auth_headers(declare(shape).auth, "0123456789")

    assert headers(BEARER) == {"Authorization": "Bearer 0123456789"}
    assert headers(HEADER) == {"X-Api-Key": "0123456789"}
    assert headers(PARAM) == headers(PLAIN) == {}


@given(st.text())
def test_nothing_that_steers_a_terminal_is_printable(text: str) -> None:
    shown = printable(text)
    assert not any(ord(c) < 0x20 and c not in "\t\n" for c in shown)
    assert not any(0x7F <= ord(c) <= 0x9F or c in "\u2028\u2029\u202e\u2066" for c in shown)


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"])))
def test_plain_text_is_printable_as_it_is(text: str) -> None:
    assert printable(text) == text
