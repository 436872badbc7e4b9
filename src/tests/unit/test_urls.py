import re
import time
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from ashore import urls

BASE = "http://api.example/v1"
TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)


def test_path_and_parameters_are_joined_to_the_base() -> None:
    url = urls.build(f"{BASE}/", "/country", {"format": "json", "per_page": 400}, {})
    assert url == f"{BASE}/country?format=json&per_page=400"


def test_an_empty_path_asks_the_base_itself() -> None:
    assert urls.build(BASE, "", {"limit": 100}, {}) == f"{BASE}?limit=100"


@pytest.mark.parametrize(("value", "written"), [(True, "true"), (False, "false"), (1.5, "1.5")])
def test_a_parameter_is_written_as_toml_writes_it(value: float, written: str) -> None:
    assert urls.build(BASE, "x", {"p": value}, {}) == f"{BASE}/x?p={written}"


@given(TEXT)
def test_a_value_is_one_segment_of_the_path_and_comes_back(value: str) -> None:
    url = urls.build(BASE, "a/{country}/b", {}, {"country": value})
    segments = urlsplit(url).path.split("/")
    assert segments[:3] == ["", "v1", "a"]
    assert unquote(segments[3]) == value
    assert segments[4:] == ["b"]


@given(TEXT, TEXT)
def test_a_value_is_one_parameter_and_comes_back(first: str, second: str) -> None:
    params = {"q": "<{a}>", "r": "{b}{a}"}
    url = urls.build(BASE, "x", params, {"a": first, "b": second})
    expected = [("q", f"<{first}>"), ("r", f"{second}{first}")]
    assert parse_qsl(urlsplit(url).query, keep_blank_values=True) == expected
    assert "+" not in url


@given(TEXT)
def test_a_value_that_looks_like_a_placeholder_stays_a_value(value: str) -> None:
    url = urls.build(BASE, "x/{a}", {"p": "{b}"}, {"a": "{b}", "b": value})
    assert unquote(urlsplit(url).path) == "/v1/x/{b}"


def test_parameters_are_added_behind_those_that_are_there() -> None:
    assert urls.with_params(f"{BASE}?a=1", {"b": "x y"}) == f"{BASE}?a=1&b=x%20y"
    assert urls.with_params(BASE, {}) == BASE


def test_a_parameter_is_taken_out_and_the_rest_stays_as_written() -> None:
    url = f"{BASE}?a=%2f&api_key=s&b=x+y&api%5Fkey=t"
    assert urls.without_param(url, "api_key") == f"{BASE}?a=%2f&b=x+y"


@given(st.lists(st.tuples(TEXT, TEXT), max_size=5), TEXT, TEXT)
def test_no_parameter_of_that_name_is_left(
    pairs: list[tuple[str, str]], name: str, value: str
) -> None:
    url = BASE
    for each in [*pairs, (name, value)]:
        url = urls.with_params(url, dict([each]))
    left = parse_qsl(urlsplit(urls.without_param(url, name)).query, keep_blank_values=True)
    assert left == [pair for pair in pairs if pair[0] != name]


@pytest.mark.parametrize(
    ("found", "leads_to"),
    [
        ("/v1/x?page=2", "http://api.example/v1/x?page=2"),
        ("?page=2", "http://api.example/v1/x?page=2"),
        ("y", "http://api.example/v1/y"),
        ("//other.example/z", "http://other.example/z"),
        (" http://api.example/z#top ", "http://api.example/z"),
    ],
)
def test_a_found_url_is_seen_from_the_one_that_was_asked(found: str, leads_to: str) -> None:
    assert urls.join("http://api.example/v1/x?page=1", found) == leads_to


@pytest.mark.parametrize("found", ["http://[::1/", "//[x"])
def test_what_is_no_url_is_a_value_error(found: str) -> None:
    with pytest.raises(ValueError, match=r"IPv6|address"):
        urls.join("http://api.example/v1", found)


@pytest.mark.parametrize(
    ("asked", "other", "same"),
    [
        ("http://a.example/x", "http://a.example/y?z", True),
        ("http://a.example/x", "http://A.EXAMPLE/", True),
        ("http://a.example/x", "http://a.example:80/", True),
        ("http://a.example/x", "https://a.example/", True),
        ("http://a.example:80/x", "https://a.example:443/", True),
        ("http://a.example:8080/", "https://a.example:8080/", True),
        ("https://a.example/", "http://a.example/", False),
        ("http://a.example/", "http://a.example:81/", False),
        ("http://a.example/", "http://b.example/", False),
        ("http://a.example/", "http://a.example.b.example/", False),
        ("http://a.example/", "http://a.example./", False),
        ("http://a.example/", "http://\u0430.example/", False),
        ("http://a.example/", "http://\uff41.example/", False),
        ("http://a.example/", "http://a\u3002example/", False),
        ("http://a.example/", "http://a.example\u200b/", False),
        ("http://b\u00fccher.example/", "http://bucher.example/", False),
        ("http://xn--bcher-kva.example/", "http://XN--BCHER-KVA.example/", True),
        ("http://127.0.0.1/", "http://169.254.170.2/v2/credentials", False),
        ("http://127.0.0.1/", "http://2130706433/", False),
        ("http://a.example/", "http://user@a.example/", False),
        ("http://a.example/", "http://a.example@b.example/", False),
        ("http://a.example/", "ftp://a.example/", False),
        ("http://a.example/", "file:///etc/hosts", False),
        ("http://a.example/", "javascript:alert(1)", False),
        ("http://a.example/", "", False),
        ("http://a.example/", "http://a.example:port/", False),
        ("http://a.example/", "http://a.example:99999/", False),
        ("http://a.example:80/", "http://a.example:0/", False),
    ],
)
def test_only_the_host_and_port_that_were_asked_are_the_same(
    asked: str, other: str, same: bool
) -> None:
    assert urls.same_host(asked, other) is same


def where_urllib3_would_go(url: str) -> str | None:
    """The host that the library below us would connect to; None where it refuses the URL."""
    try:
        return parse_url(url).host
    except LocationParseError:
        return None


PARTS = ["a.example", "b.example", "@", ":", "/", "\\", "?", "#", "80", "//", "%40", ".", "\t", ";"]


@given(st.lists(st.sampled_from(PARTS), max_size=7).map("".join))
def test_no_spelling_of_a_url_smuggles_a_request_to_another_host(rest: str) -> None:
    for found in (rest, f"http://{rest}", f"//{rest}"):
        try:
            url = urls.join("http://a.example/v1/x", found)
        except ValueError:
            continue
        if urls.same_host("http://a.example/v1/x", url):
            assert where_urllib3_would_go(url) in {"a.example", None}


AUTHORITY = re.compile(
    r"(https?)://([^/?#\\@\s]+?)(?::(\d*))?(?:[/?#].*)?", re.IGNORECASE | re.DOTALL
)


def place(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port by RFC 3986, section 3, of a URL without anything odd; else None."""
    match = AUTHORITY.fullmatch(url)
    if match is None or not re.fullmatch(
        r"[\w.~%-]+|\[[0-9a-f:.]+\]", match[2], re.ASCII | re.IGNORECASE
    ):
        return None
    scheme = match[1].lower()
    port = int(match[3]) if match[3] else {"http": 80, "https": 443}[scheme]
    return (scheme, match[2].lower(), port) if port < 2**16 else None


def stays(asked: tuple[str, str, int], other: tuple[str, str, int] | None) -> bool:
    """The rule of the reference: the same host and port; http may become https."""
    if other is None or asked[1] != other[1]:
        return False
    if asked[0] == other[0]:
        return asked[2] == other[2]
    return asked[0] == "http" and (asked[2] == other[2] or (asked[2], other[2]) == (80, 443))


SCHEMES = st.sampled_from(["http", "https", "HTTP", "hTTps", "ftp", "", "http:", "javascript"])
HOSTS = st.sampled_from(
    [
        *(
            "a.example",
            "A.Example",
            "a.example.",
            "xn--a.example",
            "b.example",
            "a.example.b.example",
        ),
        *(
            "a%2eexample",
            "a.example%00",
            "a\uff0eexample",
            "\u24d0.example",
            "a.e\u00e4",
            "a..example",
        ),
        *("[::1]", "[::2]", "127.0.0.1", "0x7f.1", "2130706433", "u@a.example", "a.example\\"),
        *("a.example\t", "a.example ", " a.example", "a.example\n", "a.example@b.example", "", "["),
    ]
)
PORTS = st.sampled_from(
    ["", ":", ":80", ":443", ":080", ":8080", ":0", ":65536", ":-1", ": 80", ":80x", ":\u0668"]
)
RESTS = st.sampled_from(
    ["", "/", "?a=http://b.example/", "#@b.example", "\\@b.example/", ";x", "//b.example"]
)
SPELLINGS = st.builds(
    "{}{}{}{}{}".format, SCHEMES, st.sampled_from(["://", ":", ":/", ":\\\\"]), HOSTS, PORTS, RESTS
)
SENT = ["http://a.example/x", "https://a.example/x", "http://a.example:8080/", "http://[::1]/"]


@given(st.sampled_from(SENT), SPELLINGS)
@example("http://a.example/x", "http://a.example:080/")
@example("http://a.example/x", "http://a.example:/")
def test_hosts_are_compared_as_the_standard_has_it(asked: str, other: str) -> None:
    sent = place(asked)
    assert sent is not None
    try:
        found = urls.join(asked, other)
    except ValueError:
        assert not urls.same_host(asked, other)
        return
    for url in (other, found):
        # What is odd may be refused; nothing is taken for the same that is not.
        assert not urls.same_host(asked, url) or stays(sent, place(url)), url
    if stays(sent, place(other)):
        assert urls.same_host(asked, other)
        assert urls.host_of(asked) == urls.host_of(other)
        assert where_urllib3_would_go(found) == sent[1]


@given(st.text(max_size=30), st.text(max_size=30))
def test_comparing_hosts_never_raises(asked: str, other: str) -> None:
    assert urls.same_host(f"http://{asked}", other) in {True, False}


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ('<?page=2>; rel="next"', "?page=2"),
        ("<?page=2>; rel=next", "?page=2"),
        ('<?page=1>; rel="prev", <?page=3>; rel="next"', "?page=3"),
        ('<?ids=1,2;3>; title="a, b; rel=x"; rel="last NEXT"', "?ids=1,2;3"),
        ('<a>;rel="prev",<b>;REL="next";type=x', "b"),
        ('<?page=2>; rel="nextpage"', None),
        ("<?page=2>", None),
        ("", None),
    ],
)
def test_the_next_page_is_found_in_a_link_header(header: str, found: str | None) -> None:
    assert urls.next_link(header) == found


@pytest.mark.parametrize("piece", ["<", "<a>", "<a>; ", ";a=", '<a>;a="', "<a>;a=b;", "\\", " "])
def test_no_link_header_takes_long_to_read(piece: str) -> None:
    began = time.process_time()
    assert urls.next_link((piece * 30_000)[:30_000]) is None
    assert time.process_time() - began < 0.5
