"""What becomes of a single call when S3, or the way to it, fails; the fault matrix has the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from ashore.errors import LocationUnusable, Violated
from ashore.s3 import S3
from ashore.store import Body
from local_s3 import S3Server
from tests.chaos.proxy import (
    FOR_EVER,
    Answered,
    Asked,
    Play,
    Proxy,
    cut,
    cut_answer,
    flip_answer,
    flip_request,
    lose_answer,
    refuse,
)

PATH = "raw/extraction_date=2026-11-24/source=api/endpoint=things/page=1.json"
STATE = "state/source=api/budget.json"
LARGE = bytes(range(256)) * (3 * 4096 + 1)


@pytest.fixture
def proxy(s3: S3Server, s3_location: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with Proxy(s3.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        # boto3 looks at the environment once in a process; each test has its own.
        monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
        yield proxy


@pytest.fixture
def store(proxy: Proxy, s3_location: str) -> S3:
    parts = urlsplit(s3_location)
    return S3(parts.netloc, parts.path.strip("/"), 10)


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between one try and the next."""
    monkeypatch.setattr("time.sleep", lambda _: None)


@pytest.mark.parametrize("play", [cut_answer, flip_answer])
def test_a_read_that_is_damaged_on_its_way_is_repeated(store: S3, proxy: Proxy, play: Play) -> None:
    store.create(PATH, Body.of(LARGE))
    proxy.fault(play, "GET", times=2)
    assert store.read(PATH) == LARGE
    assert len(proxy.played) == 2


def test_a_stream_that_breaks_off_goes_on_from_there(store: S3, proxy: Proxy) -> None:
    store.create(PATH, Body.of(LARGE))
    proxy.fault(cut_answer, "GET", times=2)
    pieces = list(store.stream(PATH))
    assert b"".join(pieces) == LARGE
    assert len(proxy.played) == 2


@pytest.mark.parametrize("read", ["read", "stream"])
def test_a_read_that_always_breaks_off_is_given_up(store: S3, proxy: Proxy, read: str) -> None:
    store.create(PATH, Body.of(LARGE))
    proxy.fault(cut_answer, "GET")
    with pytest.raises(LocationUnusable, match=r"page=1\.json"):
        list(getattr(store, read)(PATH) or ())
    assert len(proxy.played) < 10


def test_a_read_that_is_always_damaged_is_named_with_its_way_out(store: S3, proxy: Proxy) -> None:
    store.create(PATH, Body.of(LARGE))
    proxy.fault(flip_answer, "GET")
    with pytest.raises(Violated, match="aws s3 mv"):
        store.read(PATH)


def test_a_damaged_stream_is_handed_to_whoever_compares_it(store: S3, proxy: Proxy) -> None:
    store.create(PATH, Body.of(LARGE))
    proxy.fault(flip_answer, "GET")
    read = b"".join(store.stream(PATH))
    assert read != LARGE
    assert len(read) == len(LARGE)


@pytest.mark.parametrize("times", [1, 2])
def test_a_replacement_whose_answer_was_lost_is_recognised(
    store: S3, proxy: Proxy, times: int
) -> None:
    proxy.fault(lose_answer, "PUT", times=times)
    assert store.replace(STATE, b"1", None)
    read = store.read_version(STATE)
    assert read is not None
    proxy.fault(lose_answer, "PUT", times=times)
    assert store.replace(STATE, b"2", read[1])
    assert len(proxy.played) == 2 * times


def test_another_s_replacement_with_the_same_bytes_is_not_taken_for_one_s_own(store: S3) -> None:
    assert store.replace(STATE, b"1", None)
    assert not store.replace(STATE, b"1", None)
    read = store.read_version(STATE)
    assert read is not None
    assert store.replace(STATE, b"2", read[1])
    assert not store.replace(STATE, b"2", read[1])


def test_a_replacement_of_what_went_away_is_refused(store: S3) -> None:
    assert not store.replace(STATE, b"2", '"0123456789abcdef0123456789abcdef"')


@pytest.mark.usefixtures("hurry")
def test_a_body_that_is_damaged_on_its_way_is_sent_again(store: S3, proxy: Proxy) -> None:
    proxy.fault(flip_request, "PUT", times=2)
    assert store.create(PATH, Body.of(LARGE))
    assert store.read(PATH) == LARGE
    assert len(proxy.played) == 2


@pytest.mark.usefixtures("hurry")
def test_a_body_that_is_always_damaged_never_lands(store: S3, proxy: Proxy) -> None:
    proxy.fault(flip_request, "PUT")
    with pytest.raises(LocationUnusable, match="damaged on the way"):
        store.create(PATH, Body.of(b"[1]"))
    assert store.read(PATH) is None
    assert len(proxy.played) < 30


@pytest.mark.usefixtures("hurry")
def test_a_conflict_is_tried_again_and_not_for_ever(store: S3, proxy: Proxy) -> None:
    proxy.fault(refuse(409, "ConditionalRequestConflict"), "PUT", times=3)
    assert store.create(PATH, Body.of(b"[1]"))
    proxy.fault(refuse(409, "ConditionalRequestConflict"), "PUT")
    with pytest.raises(LocationUnusable, match="other writers"):
        store.create(PATH, Body.of(b"[1]"))
    assert len(proxy.played) < 30


@pytest.mark.parametrize(
    ("status", "code", "mend"),
    [
        (404, "NoSuchBucket", "create it"),
        (403, "AccessDenied", "allow s3:PutObject"),
        (400, "ExpiredToken", "renew them"),
        (403, "RequestTimeTooSkewed", "clock"),
        (403, "InvalidAccessKeyId", "AWS profile"),
        (403, "SignatureDoesNotMatch", "AWS profile"),
        (400, "InvalidToken", "renew them"),
        (400, "KeyTooLongError", "shorter prefix"),
        (400, "AuthorizationHeaderMalformed", "region"),
        (501, "NotImplemented", "conditional writes"),
        (403, "KMS.DisabledException", "encryption key"),
    ],
)
def test_what_cannot_be_healed_tells_its_operator_what_to_do(
    store: S3, proxy: Proxy, status: int, code: str, mend: str
) -> None:
    proxy.fault(refuse(status, code), "PUT")
    with pytest.raises(LocationUnusable, match=f"{mend}.*{code}"):
        store.create(PATH, Body.of(b"[1]"))
    assert len(proxy.played) == 1


@pytest.mark.parametrize("play", [refuse(503, "SlowDown"), cut], ids=["slow", "cut"])
@pytest.mark.usefixtures("hurry")
def test_what_lasts_tells_that_s3_is_in_trouble(store: S3, proxy: Proxy, play: Play) -> None:
    proxy.fault(play, "PUT")
    with pytest.raises(LocationUnusable, match="run again later"):
        store.create(PATH, Body.of(b"[1]"))
    assert len(proxy.played) < 10


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited between one try and the next, in a test that does not wait."""
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    return waited


TROUBLES = [
    refuse(500, "InternalError"),
    refuse(502, ""),
    refuse(503, "SlowDown"),
    refuse(400, "RequestTimeout"),
    refuse(429, "TooManyRequests"),
    cut,
]


@pytest.mark.parametrize("method", ["PUT", "GET", "HEAD", "list"])
@pytest.mark.parametrize("play", TROUBLES, ids=["500", "502", "slow", "time-out", "429", "cut"])
def test_trouble_is_waited_for(
    store: S3, proxy: Proxy, waits: list[float], method: str, play: Play
) -> None:
    store.create(PATH, Body.of(b"[1]"))
    proxy.fault(play, "GET" if method == "list" else method, times=4)
    if play is TROUBLES[3] and method == "HEAD":
        pytest.skip("an answer to HEAD has no body that names this one")
    calls: dict[str, Callable[[], object]] = {
        "PUT": lambda: store.create(f"{PATH}.json", Body.of(b"[2]")),
        "GET": lambda: store.read(PATH),
        "HEAD": lambda: store.describe(PATH),
        "list": lambda: list(store.list("raw/")),
    }
    assert calls[method]()
    assert len(proxy.played) == 4
    assert 6 < sum(waits) < 12.5
    assert waits == sorted(waits)


def test_trouble_that_lasts_is_given_up_after_five_calls(
    store: S3, proxy: Proxy, waits: list[float]
) -> None:
    proxy.fault(refuse(503, "SlowDown"))
    with pytest.raises(LocationUnusable, match="run again later"):
        store.read(PATH)
    assert (len(proxy.played), len(waits)) == (5, 4)


def nothing(_proxy: Proxy, _asked: Asked) -> Answered:
    """Answer with 200 and no more, as something would that is no S3."""
    return Answered(200, {"Content-Type": "text/plain"}, b"")


def astray(_proxy: Proxy, asked: Asked) -> Answered:
    """Send whoever asks to where they asked."""
    return Answered(307, {"Location": asked.target}, b"")


@pytest.mark.parametrize("play", [nothing, astray])
@pytest.mark.parametrize("method", ["create", "read", "stream", "describe", "list", "folders"])
def test_what_is_no_s3_is_not_taken_for_one(
    store: S3, proxy: Proxy, play: Play, method: str
) -> None:
    proxy.fault(play)
    more = [Body.of(b"[1]")] if method == "create" else []
    with pytest.raises(LocationUnusable, match=r"no S3|refuses"):
        list(getattr(store, method)(PATH, *more) or ())


def test_a_bucket_whose_key_may_not_be_used_says_so(store: S3, proxy: Proxy) -> None:
    text = b"<Error><Code>AccessDenied</Code><Message>not authorized: kms:Decrypt</Message></Error>"
    proxy.fault(lambda _proxy, _asked: Answered(403, {}, text))
    with pytest.raises(LocationUnusable, match="encryption key"):
        store.read(PATH)


@pytest.mark.parametrize(("status", "mend"), [(400, "expired"), (403, "allow s3:")])
def test_a_head_has_no_body_that_could_tell_more(
    store: S3, proxy: Proxy, status: int, mend: str
) -> None:
    store.create(PATH, Body.of(b"[1]"))
    proxy.fault(refuse(status, "ExpiredToken"), "HEAD")
    with pytest.raises(LocationUnusable, match=mend):
        store.describe(PATH)


def test_a_fault_befalls_those_requests_that_it_is_about(proxy: Proxy) -> None:
    proxy.fault(refuse(500, "InternalError"), "PUT", "b$", first=2, times=2)
    told = [
        proxy.answer(Asked("PUT", target, {}, b""))
        for target in ("/nobody/a", "/nobody/b", "/nobody/b", "/nobody/b", "/nobody/b")
    ]
    assert [answered.status if answered else None for answered in told] == [
        told[0].status if told[0] else None,
        told[1].status if told[1] else None,
        500,
        500,
        told[4].status if told[4] else None,
    ]
    assert [asked.target for asked in proxy.played] == ["/nobody/b"] * 2
    assert len(proxy.calls) == 5 < FOR_EVER
