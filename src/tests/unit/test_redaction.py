import html
import json
import string
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ashore.errors import Misconfigured
from ashore.redaction import (
    Redactor,
    auth_headers,
    in_json,
    on_one_line,
    printable,
    secret_of,
    without_any,
)
from tests.support.mangled import share
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
    "JSON in JSON": lambda s: json.dumps(json.dumps(s))[3:-3],
    "a URL in a URL": lambda s: quote(quote(s, safe=""), safe=""),
    "HTML": html.escape,
    "HTML in HTML": lambda s: html.escape(html.escape(s)),
    "HTML by numbers": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "HTML by hex numbers": lambda s: "".join(f"&#x{ord(c):04X};" for c in s),
    "a script": lambda s: "".join(f"\\x{ord(c):02x}" for c in s),
    "another case": str.swapcase,
}


@pytest.mark.parametrize("writer", WRITERS)
@settings(max_examples=share(0.25))
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
@settings(max_examples=share(0.25))
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


CHARACTERS: list[Callable[[str], str]] = [
    *(str, str.upper, str.lower),
    lambda c: f"%{ord(c):02x}",
    lambda c: f"%{ord(c):02X}",
    lambda c: f"%25{ord(c):02x}",
    lambda c: f"%2525{ord(c):02X}",
    lambda c: f"\\u{ord(c):04x}",
    lambda c: f"\\\\u{ord(c):04X}",
    lambda c: f"\\x{ord(c):02x}",
    lambda c: f"&#{ord(c)};",
    lambda c: f"&#x{ord(c):x};",
    lambda c: f"&amp;#{ord(c):03};",
    lambda c: f"\\{c}" if c in "\"'/\\" else c,
]
AROUND = st.text("\u00e9\u4e2d\u2022 ", max_size=60)  # of which nothing is in any spelling


@given(
    SECRETS,
    st.lists(st.sampled_from(CHARACTERS), min_size=30, max_size=30),
    st.lists(AROUND, min_size=2, max_size=4),
    st.integers(0, 200),
)
@example("a" * 8, [CHARACTERS[9]] * 30, ["", ""], 3)
@example("\\u0061bc", [str] * 30, ["", "", ""], 200)
def test_spellings_may_be_mixed_and_the_text_be_cut_anywhere(
    secret: str, spellings: list[Callable[[str], str]], around: list[str], length: int
) -> None:
    written = "".join(spell(c) for c, spell in zip(secret, spellings, strict=False))
    text, redactor = written.join(around), Redactor(secret)
    assert set(redactor.clean(text)) <= set("\u00e9\u4e2d\u2022 *")
    assert redactor.leaks(text.encode())
    beginning = redactor.beginning(text, length)
    assert set(beginning) <= set("\u00e9\u4e2d\u2022 *")
    assert len(beginning) <= length


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


def test_several_secrets_are_watched_at_once_the_longest_first() -> None:
    redactor = Redactor("0123456789", None, "0123456789abc", "short")
    assert redactor.clean("0123456789abc 0123456789 short") == "*** *** short"


def test_of_a_bug_no_secret_is_told_that_was_read_or_that_is_of_aws(declare: Declare) -> None:
    secret_of(declare(BEARER), {"KEY": "read-before"})
    environment = {"AWS_SECRET_ACCESS_KEY": "wJalr/XUtn", "AWS_SESSION_TOKEN": "FwoGZXIv"}
    told = without_any("read-before wJalr%2FXUtn FwoGZXIv harmless", environment)
    assert told == "*** *** *** harmless"


@given(st.text(alphabet=st.characters(codec=None)), st.integers(1, 100))
def test_the_beginning_of_a_text_never_holds_a_part_of_the_secret(text: str, length: int) -> None:
    secret = "0123456789abcdef"
    begun = Redactor(secret).beginning(f"{text}{secret}{text}", length)
    assert "01234567" not in begun


@given(st.text())
def test_a_line_stays_one(text: str) -> None:
    assert len(on_one_line(text).splitlines()) <= 1


@given(st.text(st.characters(codec=None)))
def test_a_json_text_says_the_same_without_controls(text: str) -> None:
    written = in_json(json.dumps({"a": text}, ensure_ascii=False, indent=2))
    assert json.loads(written) == {"a": text}
    assert printable(written) == written


@given(st.text())
def test_nothing_that_steers_a_terminal_is_printable(text: str) -> None:
    shown = printable(text)
    assert not any(ord(c) < 0x20 and c not in "\t\n" for c in shown)
    assert not any(
        0x7F <= ord(c) <= 0x9F or c in "\u2028\u2029\u202e\u2066\u200f\ufeff" for c in shown
    )


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"])))
def test_plain_text_is_printable_as_it_is(text: str) -> None:
    assert printable(text) == text
