import datetime as dt
import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ashore.errors import LocationUnusable
from ashore.receipts import (
    KEPT_HEADERS,
    Origin,
    Receipt,
    ReceiptBook,
    adopted,
    timestamp,
    url_sha256,
)

URL = "http://api.example/v1/things?page=1"
PATH = "raw/extraction_date=2026-11-24/source=api/endpoint=things/page=1.json"
SHA = hashlib.sha256(b"[]").hexdigest()
ORIGIN = Origin(URL, None, 200, "2026-11-24T01:00:00.000Z", 12, 1)
TEXTS = st.text(max_size=300) | st.sampled_from(
    ["é" * 200, '"' * 100, '"' * 2000, "\x01" * 99, " " * 500]
)
HEADERS = st.dictionaries(st.sampled_from(KEPT_HEADERS), TEXTS)
ORIGINS = st.builds(
    Origin,
    url=st.text(max_size=50),
    final_url=st.none() | TEXTS,
    status=st.just(200),
    fetched_at=st.just("2026-11-24T01:00:00.000Z"),
    duration_ms=st.integers(0, 10**9),
    attempts=st.integers(1, 100),
    headers=HEADERS,
    link=st.none() | TEXTS,
)
RECEIPTS = st.builds(
    Receipt,
    path=st.just(PATH),
    origin=ORIGINS,
    bytes=st.integers(0, 10**15),
    sha256=st.just(SHA),
    records=st.integers(0, 10**9),
    total=st.none() | st.integers(0, 10**30 - 1),
)
FULL = Origin(
    URL,
    '"' * 190,
    200,
    "2026-11-24T01:00:00.000Z",
    10**9,
    100,
    dict.fromkeys(KEPT_HEADERS, '"' * 100),
    '"' * 290,
)


@given(RECEIPTS)
@example(Receipt(PATH, FULL, 10**15, SHA, 10**9, 10**30 - 1))
def test_metadata_are_ascii_and_under_2_kb(receipt: Receipt) -> None:
    written = json.dumps(receipt.metadata("20261124T010000Z-0123456789ab"))
    assert written.isascii()
    assert len(written) < 2000


@given(RECEIPTS)
def test_an_adopted_object_has_the_receipt_of_the_run_that_fetched_it(receipt: Receipt) -> None:
    notes = json.loads(json.dumps(receipt.metadata("r1")))
    again = adopted(PATH, receipt.origin.url, notes)
    assert again.adopted
    for name in ("path", "bytes", "sha256", "records", "total"):
        assert getattr(again, name) == getattr(receipt, name)
    for name in ("url", "status", "fetched_at", "duration_ms", "attempts"):
        assert getattr(again.origin, name) == getattr(receipt.origin, name)
    assert again.origin.headers.items() <= receipt.origin.headers.items()


@given(RECEIPTS)
def test_a_next_page_in_a_header_is_kept_or_said_to_be_untold(receipt: Receipt) -> None:
    again = adopted(PATH, URL, receipt.metadata("r1")).origin
    link = receipt.origin.link or None
    assert (again.link or None) == link or (again.link is None and again.link_untold)


NOTES = ["status", "fetched_at", "duration_ms", "attempts", "headers", "bytes", "sha256", "records"]
JSON: st.SearchStrategy[Any] = (
    st.none()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.lists(st.integers())
    | st.just({})
)


@given(st.dictionaries(st.sampled_from([*NOTES, "total", "link", "final_url"]), JSON))
@example(dict.fromkeys(NOTES, float("inf")))
@example(dict.fromkeys(NOTES, float("nan")))
@example({"link": 5})
@example({"final_url": ["x"]})
@example({"total": -1})
@example({"total": 10**400})
@example({"status": 404})
def test_damaged_metadata_raise_only_what_is_declared(damage: dict[str, Any]) -> None:
    good = Receipt(PATH, ORIGIN, 2, SHA, 0).metadata("r1")
    for notes in (damage, {**good, **damage}):
        try:
            receipt = adopted(PATH, URL, notes)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        assert receipt.total is None or 0 <= receipt.total < 10**40
        assert receipt.origin.status == 200
        for text in (receipt.origin.link, receipt.origin.final_url):
            assert text is None or isinstance(text, str)
        assert json.loads(json.dumps(receipt.line())) == receipt.line()


def test_metadata_remember_the_url_by_its_hash_alone() -> None:
    notes = Receipt(PATH, ORIGIN, 2, SHA, 0).metadata("r1")
    assert notes["url_sha256"] == url_sha256(URL) == hashlib.sha256(URL.encode()).hexdigest()
    assert URL not in json.dumps(notes)


def test_a_line_holds_what_the_contract_says() -> None:
    line = Receipt(PATH, ORIGIN, 2, SHA, 0).line()
    needed = "path url status fetched_at duration_ms attempts bytes sha256 records adopted headers"
    assert set(needed.split()) <= line.keys()
    assert "final_url" not in line


def test_a_line_says_where_a_redirect_led() -> None:
    origin = Origin(URL, f"{URL}&moved", 200, "2026-11-24T01:00:00.000Z", 12, 1)
    assert Receipt(PATH, origin, 2, SHA, 0).line()["final_url"] == f"{URL}&moved"


OFFSETS = st.integers(-1439, 1439).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
MOMENTS = st.datetimes(timezones=OFFSETS).filter(lambda moment: 1 < moment.year < 9999)


@given(MOMENTS)
def test_a_timestamp_is_rfc_3339_in_utc(moment: dt.datetime) -> None:
    text = timestamp(moment)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    since = moment - dt.datetime.fromisoformat(text)
    assert dt.timedelta(0) <= since < dt.timedelta(milliseconds=1)


@pytest.fixture
def book() -> Iterator[ReceiptBook]:
    book = ReceiptBook()
    yield book
    book.close()


def receipt_of(path: str, body: bytes, **more: Any) -> Receipt:
    return Receipt(path, ORIGIN, len(body), hashlib.sha256(body).hexdigest(), 1, **more)


def test_a_book_counts_what_it_holds(book: ReceiptBook) -> None:
    book.add(receipt_of("raw/b.json", b"[1]"))
    book.add(receipt_of("raw/a.json", b"[]", adopted=True))
    assert (book.objects, book.bytes, book.adopted) == (2, 5, 1)
    assert "raw/a.json" in book
    assert "raw/c.json" not in book


def test_a_book_is_written_in_the_order_of_its_paths(book: ReceiptBook, tmp_path: Path) -> None:
    for name in ("c", "a", "b"):
        book.add(receipt_of(f"raw/{name}.json", name.encode()))
    receipts, sums = book.write(tmp_path)
    written = (tmp_path / "receipts.jsonl").read_bytes()
    paths = [json.loads(line)["path"] for line in written.splitlines()]
    assert paths == ["raw/a.json", "raw/b.json", "raw/c.json"]
    assert (receipts.size, receipts.sha256) == (len(written), hashlib.sha256(written).hexdigest())
    assert sums.content == tmp_path / "SHA256SUMS"


def test_two_books_of_the_same_receipts_are_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for order in (["a", "b"], ["b", "a"]):
        book = ReceiptBook()
        for name in order:
            book.add(receipt_of(f"raw/{name}.json", name.encode()))
        written.append([body.sha256 for body in book.write(tmp_path)])
        book.close()
    assert written[0] == written[1]


def test_sums_verify_a_day_without_ashore(book: ReceiptBook, tmp_path: Path) -> None:
    names = ["raw/id=a%2Fb.json", "raw/id=x~0123456789abcdef.json", "raw/all.json"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
        book.add(receipt_of(name, name.encode()))
    book.write(tmp_path)
    check = ["sha256sum", "-c", "--strict", "SHA256SUMS"]
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    (tmp_path / names[0]).write_bytes(b"changed")
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode == 1


def test_every_line_is_json_whatever_a_header_holds(book: ReceiptBook, tmp_path: Path) -> None:
    header = {"etag": 'a\nb"\ud800é\u2028'}
    origin = Origin(URL, None, 200, "2026-11-24T01:00:00.000Z", 12, 1, header)
    book.add(Receipt(PATH, origin, 2, SHA, 0))
    book.write(tmp_path)
    (line,) = (tmp_path / "receipts.jsonl").read_bytes().splitlines()
    assert json.loads(line)["headers"] == header


def test_an_empty_book_is_two_empty_files(book: ReceiptBook, tmp_path: Path) -> None:
    assert [body.size for body in book.write(tmp_path)] == [0, 0]


def test_no_room_for_the_receipts_is_the_location_s_fault(
    book: ReceiptBook, tmp_path: Path
) -> None:
    book.add(receipt_of(PATH, b"[]"))
    with pytest.raises(LocationUnusable, match="TMPDIR"):
        book.write(tmp_path / "absent")
