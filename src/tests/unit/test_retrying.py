import datetime as dt
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ashore.answers import Refused, Worth
from ashore.catalog import Retry, Source
from ashore.planning import Request, SetKey
from ashore.retrying import Again, Failed, Lost, Try, asked_pause, wait_before, what_next
from tests.unit.conftest import Declare

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
URL = "http://api.example/v1/things"
PLAIN = '[[source.api.endpoint]]\nname = "things"\npath = "things"\n'
RETRY = 'retry = { attempts = 3, max_wait = "8s", max_pause = "10m" }\n' + PLAIN
REQUEST = Request(SetKey("things"), 1, URL, "raw/all.json")
TEN_YEARS = 10 * 365 * 86400


def failed(
    worth: Worth, url: str = URL, *, attempt: int = 1, hops: int = 0, **more: object
) -> Failed:
    pause, location = more.get("pause"), more.get("location")
    assert pause is None or isinstance(pause, float)
    assert location is None or isinstance(location, str)
    tried = Try(REQUEST, url, attempt, 1, hops)
    return Failed(tried, Refused(worth, "HTTP 500"), pause=pause, location=location)


def decided(source: Source, failure: Failed, left: float = 3600.0) -> Again | Lost:
    return what_next(source, failure, left)


@given(st.integers(1, 100), st.floats(0.01, 10_000))
def test_waits_grow_and_never_exceed_the_longest(attempts: int, longest: float) -> None:
    retry = Retry.model_construct(attempts=attempts, max_wait=longest)
    waits = [wait_before(retry, attempt) for attempt in range(1, attempts + 1)]
    assert waits.pop() is None
    for number, wait in enumerate(waits):
        assert wait is not None
        assert min(2**number, longest) <= wait <= min(2**number + 1, longest)


def test_waits_are_not_all_the_same() -> None:
    assert len({wait_before(Retry(), 1) for _ in range(20)}) > 1


def test_nothing_is_tried_again_after_the_last_attempt() -> None:
    assert wait_before(Retry(attempts=1), 1) is None
    assert wait_before(Retry(), 5) is None
    assert wait_before(Retry(), 6) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("9" * 30, TEN_YEARS),
        ("9" * 5000, TEN_YEARS),
        ("Tue, 24 Nov 2026 12:02:00 GMT", 120),
        ("Tuesday, 24-Nov-26 12:02:00 GMT", 120),
        ("Tue Nov 24 12:02:00 2026", 120),
        ("Tue, 24 Nov 2026 13:02:00 +0100", 120),
    ],
)
def test_a_host_asks_for_seconds_or_until_a_date(header: str, seconds: float) -> None:
    assert asked_pause(header, NOW) == seconds


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "soon",
        "-1",
        "1.5",
        "1e3",
        "١٢",
        "0x10",
        "1,2",
        "nan",
        "inf",
        "Tue, 24 Nov 2026 11:59:00 GMT",
        "Tue, 99 Nov 2026 12:00:00 GMT",
        "Tue, 24 Nov 99999 12:00:00 GMT",
        "2026-11-24T13:00:00Z",
    ],
)
def test_nonsense_and_the_past_count_as_absent(header: str | None) -> None:
    assert asked_pause(header, NOW) is None


DATES = st.datetimes(timezones=st.just(dt.UTC)).map(
    lambda moment: format_datetime(moment, usegmt=True)
)
PIECES = st.lists(
    st.sampled_from(
        [*("Tue,", "24", "Nov", "2026", "12:02:00", "+9999", "-0000", "GMT"), *'(")";. :', "99999"]
    )
)


@given(st.text(max_size=40) | DATES | PIECES.map(" ".join) | PIECES.map("".join))
@example("Tue, 24 Nov 2026 12:00:00 +99999999999")
@example("Mon, 01 Jan 0001 00:00:00 +2359")
@example("Fri, 31 Dec 9999 23:59:59 -2359")
def test_no_header_makes_it_raise_or_ask_for_less_than_nothing(header: str) -> None:
    seconds = asked_pause(header, NOW)
    assert seconds is None or 0 <= seconds <= TEN_YEARS


@given(st.integers(1, 10_000_000))
def test_a_date_asks_for_the_time_until_then(seconds: int) -> None:
    until = NOW + dt.timedelta(seconds=seconds)
    assert asked_pause(format_datetime(until, usegmt=True), NOW) == seconds


FORMS = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"]


@pytest.mark.parametrize("form", FORMS, ids=["fixed", "rfc 850", "asctime"])
@given(st.integers(-(10**9), 10**9), st.integers(1, 10**8))
def test_each_form_of_a_date_asks_for_the_time_until_then(
    form: str, later: int, seconds: int
) -> None:
    # Within the years that two digits can tell: 1995 to 2061.
    now = NOW + dt.timedelta(seconds=later)
    until = now + dt.timedelta(seconds=seconds)
    assert asked_pause(until.strftime(form), now) == seconds
    assert asked_pause(now.strftime(form), now) is None


@given(st.integers(0, 10**40), st.sampled_from(["", " ", "\t"]), st.integers(0, 9))
def test_seconds_are_asked_for_as_they_are_written(seconds: int, blank: str, zeros: int) -> None:
    asked = asked_pause(f"{blank}{'0' * zeros}{seconds}{blank}", NOW)
    assert asked == min(float(seconds), TEN_YEARS)


def test_a_failure_that_may_pass_is_tried_again_from_the_start(declare: Declare) -> None:
    followed = failed(Worth.AGAIN, "http://api.example/elsewhere", attempt=2, hops=3)
    again = decided(declare(RETRY), followed)
    assert isinstance(again, Again)
    assert (again.tried, again.retry) == (Try(REQUEST, URL, 3, 1, 0), True)
    assert 2 <= again.wait <= 3


def test_a_host_that_asks_to_wait_is_given_at_least_that(declare: Declare) -> None:
    again = decided(declare(RETRY), failed(Worth.AGAIN, pause=30.0))
    assert isinstance(again, Again)
    assert again.wait == 30


def test_the_last_attempt_is_the_last(declare: Declare) -> None:
    lost = decided(declare(RETRY), failed(Worth.AGAIN, attempt=3))
    assert lost == Lost("HTTP 500")


@pytest.mark.parametrize("worth", [Worth.FINAL, Worth.VIOLATED])
def test_what_is_final_is_lost_at_once(declare: Declare, worth: Worth) -> None:
    assert decided(declare(RETRY), failed(worth)) == Lost("HTTP 500")


def test_a_source_that_refuses_ends(declare: Declare) -> None:
    lost = decided(declare(RETRY), failed(Worth.SOURCE))
    assert isinstance(lost, Lost)
    assert lost.ends is not None


@pytest.mark.parametrize(
    ("pause", "left", "ends"),
    [(600.0, 3600.0, False), (601.0, 3600.0, True), (60.0, 59.0, True), (60.0, 61.0, False)],
)
def test_a_pause_that_is_too_long_ends_the_source_and_says_when_to_come_back(
    declare: Declare, pause: float, left: float, ends: bool
) -> None:
    next_step = decided(declare(RETRY), failed(Worth.AGAIN, pause=pause), left)
    assert isinstance(next_step, Lost) is ends
    if isinstance(next_step, Lost):
        assert next_step.ends is not None
        assert "come back after 20" in next_step.ends


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/v2/things", "http://api.example/v2/things"),
        ("https://api.example/v1/things", "https://api.example/v1/things"),
        ("?a=1", f"{URL}?a=1"),
    ],
)
def test_a_redirect_on_the_same_host_is_followed_at_once(
    declare: Declare, location: str, url: str
) -> None:
    again = decided(declare(RETRY), failed(Worth.ELSEWHERE, location=location))
    assert again == Again(Try(REQUEST, url, 1, 1, 1), 0.0, retry=False)


@pytest.mark.parametrize(
    "location",
    [None, "", "http://other.example/", "//other.example", "http://[", "ftp://api.example/"],
)
def test_a_redirect_elsewhere_is_lost(declare: Declare, location: str | None) -> None:
    lost = decided(declare(RETRY), failed(Worth.ELSEWHERE, location=location))
    assert isinstance(lost, Lost)
    assert "not on the host" in lost.reason


def test_five_redirects_are_followed_and_not_a_sixth(declare: Declare) -> None:
    fifth = decided(declare(RETRY), failed(Worth.ELSEWHERE, hops=4, location="/x"))
    assert isinstance(fifth, Again)
    assert isinstance(decided(declare(RETRY), failed(Worth.ELSEWHERE, hops=5, location="/x")), Lost)


def test_a_redirect_never_goes_back_to_http(declare: Declare) -> None:
    secure = "https://api.example/v1/things"
    lost = decided(
        declare(RETRY), failed(Worth.ELSEWHERE, secure, location="http://api.example/v1/things")
    )
    assert isinstance(lost, Lost)


def test_a_key_that_a_redirect_repeats_is_taken_out(declare: Declare) -> None:
    source = declare('auth = { param = "k", env = "KEY" }\n' + PLAIN)
    again = decided(source, failed(Worth.ELSEWHERE, location="/x?k=0123456789&a=1"))
    assert isinstance(again, Again)
    assert again.tried.url == "http://api.example/x?a=1"


@given(st.text(max_size=30))
def test_no_location_makes_it_raise_or_leave_the_host(declare: Declare, location: str) -> None:
    next_step = decided(declare(RETRY), failed(Worth.ELSEWHERE, location=location))
    if isinstance(next_step, Again):
        assert next_step.tried.url.startswith(("http://api.example", "https://api.example"))
