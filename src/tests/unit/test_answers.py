import contextlib
import datetime as dt
import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ashore.answers import Answer, ErrorAnswer, NotJson, Page, Refused, Worth, examine, judge, parse
from ashore.catalog import Cursor, Endpoint, Source
from ashore.errors import Violated
from ashore.naming import Day, is_within
from ashore.planning import Request, SetKey, first_request, following_request
from ashore.urls import same_host
from tests.support.mangled import mangled, torn
from tests.unit.conftest import Declare

DAY = Day("api", dt.date(2026, 11, 24))

PLAIN = '[[source.api.endpoint]]\nname = "things"\npath = "things"\n'
WORLD_BANK = """
error = "[0].message"
retry = { statuses = [400, 403] }
[[source.api.endpoint]]
name = "countries"
path = "country"
paging = { kind = "page", param = "page", pages = "[0].pages" }
records = "[1]"
total = "[0].total"
key = "id"
expect = { unique_key = true }
[[source.api.endpoint]]
name = "population"
for_each = { endpoint = "countries", select = "[1][?region.id != 'NA'].id", as = "country" }
path = "{country}"
"""
PARENT = """
[[source.api.endpoint]]
name = "things"
path = "things"
records = "r"
[[source.api.endpoint]]
name = "thing"
path = "{id}"
for_each = { endpoint = "things", select = "r[].id", as = "id" }
"""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["r", "id", "next", "total", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)


def first(source: Source) -> Endpoint:
    return source.endpoints[0]


def page_of(source: Source, document: Any) -> Page:
    return examine(source, first(source), json.dumps(document).encode())


def verdict(source: Source, status: int | None, body: bytes = b"[]", **more: Any) -> Refused:
    found = judge(source, first(source), Answer(status, body, **more))
    assert isinstance(found, Refused)
    return found


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf[1]",
        b"[NaN, Infinity, -Infinity]",
        b'{"a": 1, "a": 2}',
        b"[" + b"9" * 77 + b"]",
        b"[" + b"9" * 5000 + b"]",
        b"[1e999]",
        b'["\\ud800"]',
        b" \n1 ",
    ],
    ids=["mark", "nan", "twice", "long", "very long", "huge", "half a pair", "blanks"],
)
def test_what_the_contract_lets_through_is_json(body: bytes, declare: Declare) -> None:
    parse(body)
    source = declare(PLAIN)
    assert isinstance(judge(source, first(source), Answer(200, body)), Page)


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"<html>", b"[1", b"[1]x", b'"\xff"', b"\xff\xfe[\x00]\x00", b"[" * 100_000, b"{]"],
    ids=["empty", "blank", "html", "cut", "more", "latin", "utf-16", "deep", "wrong"],
)
def test_what_is_not_json_is_tried_again(body: bytes, declare: Declare) -> None:
    with pytest.raises(NotJson):
        parse(body)
    refused = verdict(declare(PLAIN), 200, body)
    assert (refused.worth, refused.counts_for_breaker) == (Worth.AGAIN, False)


@given(st.binary(max_size=60))
def test_parsing_raises_nothing_but_its_own_error(body: bytes) -> None:
    for exact in (False, True):
        try:
            parse(body, exact=exact)
        except NotJson:
            continue


NUMERALS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
JSON_TEXTS = JSON.map(json.dumps) | JSON.map(lambda v: json.dumps(v, ensure_ascii=False))


@given(st.lists(NUMERALS, max_size=5).map(lambda found: f"[{','.join(found)}]") | JSON_TEXTS)
@example('{"a": 1, "a": 2}')
@example("[-0, -0.0, 1E400, 5e-324, 2.2250738585072011e-308, 9007199254740993.0]")
@example('["\\ud83d\\ude00", "\\/", "\\u0000"]')
def test_a_body_is_read_as_the_standard_library_reads_it(text: str) -> None:
    body = text.encode("utf-8", "surrogatepass")
    try:
        expected = json.loads(body.decode())
    except UnicodeDecodeError:  # a lone surrogate is no UTF-8
        with pytest.raises(NotJson):
            parse(body)
    else:
        assert repr(parse(body)) == repr(expected)


SHAPES = [
    PLAIN,
    WORLD_BANK,
    PARENT,
    PLAIN + 'records = "r"\ntotal = "total"\nkey = ["id", "x.id"]\nexpect = { unique_key = true }',
    PLAIN + 'records = "r"\npaging = { kind = "cursor", next = "next" }',
    'error = "r[?id > `1`] || length(x) || sort_by(r, &id)"\n' + PLAIN + 'total = "ceil(total)"',
    PLAIN + 'records = "@.*"\ntotal = "to_number(total)"\nkey = "@"',
]


@given(JSON.map(lambda v: json.dumps(v).encode()) | st.binary(max_size=30), st.sampled_from(SHAPES))
@example(b'{"total": Infinity}', SHAPES[5])
@example(b'{"total": NaN}', SHAPES[5])
@example(b'{"total": 1e999}', SHAPES[5])
def test_examining_raises_nothing_but_its_own_errors(
    declare: Declare, body: bytes, shape: str
) -> None:
    source = declare(shape)
    try:
        page = examine(source, first(source), body)
    except (NotJson, ErrorAnswer, Violated):
        return
    assert page.records >= 0


@given(
    st.none() | st.integers(100, 999),
    JSON.map(lambda v: json.dumps(v).encode()) | st.binary(max_size=30),
    st.sampled_from(SHAPES),
    st.none() | st.just("the body was cut off"),
    st.booleans(),
)
@example(200, b'{"total": Infinity}', SHAPES[5], None, False)
def test_judging_never_raises_and_only_a_whole_200_is_a_page(
    declare: Declare, status: int | None, body: bytes, shape: str, problem: str | None, large: bool
) -> None:
    source = declare(shape)
    answer = Answer(status, body, {}, None, problem, large)
    found = judge(source, first(source), answer)
    if isinstance(found, Page):
        assert (status, problem, large) == (200, None, False)
    else:
        assert found.reason


RECORD = {"id": "FRA", "region": {"id": "ECS"}, "n": 1.50, "x": None}
BANK = [{"page": 1, "pages": 2, "per_page": "50", "total": 3}, [RECORD, {**RECORD, "id": 7}]]
THINGS = {"r": [RECORD, RECORD], "id": 1, "next": "a", "total": 2}
MANGLED = st.sampled_from([BANK, THINGS]).flatmap(
    lambda document: (
        mangled(document).map(lambda found: json.dumps(found).encode())
        | torn(json.dumps(document).encode())
    )
)
NUMBERED = 'paging = { kind = "page", param = "p", pages = "total" }'
MORE_SHAPES = [*SHAPES, PLAIN + 'records = "r"\ntotal = "total"\n' + NUMBERED]


@given(MANGLED, st.sampled_from(MORE_SHAPES), st.none() | st.text(max_size=9))
def test_nearly_right_answers_are_judged_and_what_they_say_can_be_asked(
    declare: Declare, body: bytes, shape: str, link: str | None
) -> None:
    source = declare(shape)
    found = judge(source, first(source), Answer(200, body, link=link))
    if isinstance(found, Refused):
        assert found.reason.isprintable() or found.worth in {Worth.AGAIN, Worth.VIOLATED}
        return
    for number in (found.records, found.total or 0, found.pages or 0, found.keyless):
        assert 0 <= number < 10**30
    for name, values in found.values.items():
        (level,) = source.lineage(source.endpoint(name))
        for value in values:
            request = first_request(source, DAY, SetKey(name, ((level, value),)))
            assert is_within(request.path, DAY.raw)
            assert same_host(source.base_url, request.url)
    if found.following and isinstance(first(source).paging, Cursor):
        asked = Request(SetKey("things"), 1, f"{source.base_url}/things", "raw/x.json")
        with contextlib.suppress(Violated):
            following = following_request(source, DAY, asked, [found])
            assert same_host(asked.url, following.url)


@pytest.mark.parametrize("depth", [200, 600, 900, 960, 980, 990, 1000, 5000])
@pytest.mark.parametrize(
    "shape", ["", 'error = "@"\n', 'key = "@"\nexpect = { unique_key = true }']
)
def test_no_depth_of_nesting_makes_judging_raise(declare: Declare, depth: int, shape: str) -> None:
    source = declare(shape + PLAIN if shape.startswith("error") else PLAIN + shape)
    body = b"[" * depth + b"]" * depth
    assert isinstance(judge(source, first(source), Answer(200, body)), Page | Refused)


@pytest.mark.parametrize(
    ("status", "worth", "breaker"),
    [
        *((status, Worth.AGAIN, True) for status in (429, 500, 502, 503, 504, 520, 599)),
        *((status, Worth.AGAIN, False) for status in (425,)),
        *((status, Worth.FINAL, False) for status in (400, 404, 405, 410, 418, 422, 451)),
        *((status, Worth.FINAL, False) for status in (201, 202, 204, 206, 300, 304, 100, 999)),
        *((status, Worth.SOURCE, False) for status in (401, 403)),
        *((status, Worth.ELSEWHERE, False) for status in (301, 302, 303, 307, 308)),
    ],
)
def test_every_status_has_its_worth(
    declare: Declare, status: int, worth: Worth, breaker: bool
) -> None:
    refused = verdict(declare(PLAIN), status, b"<html>")
    assert (refused.worth, refused.counts_for_breaker) == (worth, breaker)
    assert str(status) in refused.reason


def test_a_408_is_tried_again(declare: Declare) -> None:
    assert verdict(declare(PLAIN), 408).worth is Worth.AGAIN


@pytest.mark.parametrize(
    ("status", "body", "worth"),
    [
        (400, b"\xef\xbb\xbf<html>", Worth.AGAIN),
        (400, b"", Worth.AGAIN),
        (400, b'{"message": "no such parameter"}', Worth.FINAL),
        (403, b"<html>", Worth.AGAIN),
        (403, b"{}", Worth.SOURCE),
        (401, b"<html>", Worth.SOURCE),
        (404, b"<html>", Worth.FINAL),
    ],
)
def test_a_listed_status_is_tried_again_only_where_its_body_is_not_json(
    declare: Declare, status: int, body: bytes, worth: Worth
) -> None:
    assert verdict(declare(WORLD_BANK), status, body).worth is worth


def test_a_401_ends_the_source_even_where_it_is_listed(declare: Declare) -> None:
    source = declare("retry = { statuses = [401] }\n" + PLAIN)
    assert verdict(source, 401, b"<html>").worth is Worth.SOURCE


def test_no_answer_is_tried_again_and_counts_for_the_breaker(declare: Declare) -> None:
    refused = verdict(declare(PLAIN), None, b"", problem="the connection was refused")
    assert (refused.worth, refused.counts_for_breaker) == (Worth.AGAIN, True)
    assert refused.reason == "the connection was refused"


def test_a_damaged_body_is_tried_again_and_the_source_can_be_reached(declare: Declare) -> None:
    refused = verdict(declare(PLAIN), 200, b"", problem="the coding is damaged", damaged=True)
    assert (refused.worth, refused.counts_for_breaker) == (Worth.AGAIN, False)


def test_a_body_over_the_limit_is_final(declare: Declare) -> None:
    refused = verdict(declare(PLAIN), 200, b"", problem="larger than max_body", too_large=True)
    assert (refused.worth, refused.counts_for_breaker) == (Worth.FINAL, False)


@pytest.mark.parametrize("nothing", [None, False, "", [], {}], ids=repr)
def test_jmespath_takes_these_for_nothing(declare: Declare, nothing: object) -> None:
    source = declare('error = "e"\n' + PLAIN)
    assert page_of(source, {"e": nothing}).records == 1


@pytest.mark.parametrize("something", [0, 0.0, True, "x", [0], {"a": None}, 1], ids=repr)
def test_anything_else_is_an_error_answer(declare: Declare, something: object) -> None:
    source = declare('error = "e"\n' + PLAIN)
    with pytest.raises(ErrorAnswer):
        page_of(source, {"e": something})
    assert verdict(source, 200, json.dumps({"e": something}).encode()).worth is Worth.AGAIN


def test_an_error_answer_is_final_where_the_catalog_says_so(declare: Declare) -> None:
    source = declare('error = "e"\nretry = { errors = false }\n' + PLAIN)
    refused = verdict(source, 200, b'{"e": "gone"}')
    assert refused.worth is Worth.FINAL
    assert "gone" in refused.reason


def test_an_error_answer_of_the_world_bank_is_told_by_its_message(declare: Declare) -> None:
    body = b'[{"message":[{"id":"120","key":"Invalid value","value":"..."}]}]'
    assert "Invalid value" in verdict(declare(WORLD_BANK), 200, body).reason


@pytest.mark.parametrize(
    ("document", "records"), [([], 0), ([1, 2], 2), ({}, 1), (5, 1), (None, 1)]
)
def test_without_records_a_list_holds_its_elements_and_all_else_is_one(
    declare: Declare, document: object, records: int
) -> None:
    assert page_of(declare(PLAIN), document).records == records


@pytest.mark.parametrize("found", [None, {}, 5, "x", True], ids=repr)
def test_records_that_are_no_list_are_an_unknown_shape(declare: Declare, found: object) -> None:
    source = declare(PLAIN + 'records = "r"')
    with pytest.raises(Violated, match="unknown shape"):
        page_of(source, {"r": found})
    assert verdict(source, 200, json.dumps({"r": found}).encode()).worth is Worth.VIOLATED


@pytest.mark.parametrize("total", [0, "0", 0.0, "0.0"], ids=repr)
def test_no_list_is_an_empty_one_where_the_total_is_zero(declare: Declare, total: object) -> None:
    source = declare(PLAIN + 'records = "r"\ntotal = "t"')
    page = page_of(source, {"r": None, "t": total})
    assert (page.records, page.total) == (0, 0)


def test_no_list_is_an_unknown_shape_where_the_total_is_not_zero(declare: Declare) -> None:
    with pytest.raises(Violated, match="unknown shape"):
        page_of(declare(PLAIN + 'records = "r"\ntotal = "t"'), {"r": None, "t": 3})


@pytest.mark.parametrize("total", [None, "", "many", -1, 1.5, True, [], {}], ids=repr)
def test_a_declared_total_that_is_no_number_is_violated(declare: Declare, total: object) -> None:
    with pytest.raises(Violated, match="total"):
        page_of(declare(PLAIN + 'total = "t"'), {"t": total})


@pytest.mark.parametrize("pages", [None, "x", False])
def test_a_declared_number_of_pages_that_is_none_is_violated(
    declare: Declare, pages: object
) -> None:
    paged = 'paging = { kind = "page", param = "p", pages = "pages" }'
    with pytest.raises(Violated, match="pages"):
        page_of(declare(PLAIN + paged), {"pages": pages})


def test_an_answer_of_the_world_bank_without_rows_is_an_empty_page(declare: Declare) -> None:
    page = page_of(declare(WORLD_BANK), [{"page": 0, "pages": 0, "total": 0}, None])
    assert (page.records, page.total, page.pages) == (0, 0, 0)


def test_an_answer_of_the_world_bank_gives_its_economies(declare: Declare) -> None:
    rows = [{"id": "ARB", "region": {"id": "NA"}}, {"id": "FRA", "region": {"id": "ECS"}}]
    page = page_of(declare(WORLD_BANK), [{"pages": 1, "per_page": "400", "total": 2}, rows])
    assert (page.records, page.total, page.pages) == (2, 2, 1)
    assert page.values == {"population": ("FRA",)}
    assert (len(set(page.keys)), page.keyless) == (2, 0)


NUMBERS = ["1", "0", "-3", "1.0", "1.50", "1e3", "1E+2", "12345678901234567890", "0.1", "-0.0"]


@pytest.mark.parametrize("written", NUMBERS)
def test_a_number_is_asked_for_as_the_json_writes_it(declare: Declare, written: str) -> None:
    source = declare(PARENT)
    page = examine(source, first(source), b'{"r": [{"id": ' + written.encode() + b"}]}")
    assert page.values == {"thing": (written,)}


@pytest.mark.parametrize(
    "value", [True, False, [], {}, [1], "", ".", "..", "\ud800", math.nan, -math.inf], ids=ascii
)
def test_a_value_that_no_request_can_carry_is_named(declare: Declare, value: object) -> None:
    page = page_of(declare(PARENT), {"r": [{"id": value}, {"id": "x"}]})
    assert page.values == {"thing": ("x",)}
    assert "1 values" in page.unfit["thing"]


def test_a_value_may_be_worked_out_by_an_expression(declare: Declare) -> None:
    source = declare(PARENT.replace("r[].id", "r[].to_number(id)"))
    assert page_of(source, {"r": [{"id": "1.5"}, {"id": "2"}]}).values == {"thing": ("1.5", "2")}
    source = declare(PARENT.replace("r[].id", "[avg(r[].id)]"))
    assert page_of(source, {"r": [{"id": 1}, {"id": 2.0}]}).values == {"thing": ("1.5",)}


def test_a_null_among_the_values_is_named_where_the_expression_keeps_it(declare: Declare) -> None:
    source = declare(PARENT.replace("r[].id", "map(&id, r)"))
    assert page_of(source, {"r": [{"id": None}]}).unfit


def test_values_that_are_no_list_are_named(declare: Declare) -> None:
    source = declare(PARENT.replace("r[].id", "x"))
    assert "no list" in page_of(source, {"r": [1], "x": "FRA"}).unfit["thing"]
    assert "no list" in page_of(source, {"r": [1]}).unfit["thing"]


@pytest.mark.parametrize(
    "select",
    [
        "r[?floor(n) > `1`].id",
        "r[?type(n) == 'number'].id",
        "sort_by(r, &n)[].id",
        "r[?n > `1`].id",
    ],
)
def test_a_selection_may_use_the_numbers_of_an_answer(declare: Declare, select: str) -> None:
    source = declare(PARENT.replace("r[].id", select))
    page = page_of(source, {"r": [{"id": "a", "n": 2.5}, {"id": "b", "n": 2.0}]})
    assert sorted(page.values["thing"]) == ["a", "b"]
    assert not page.unfit


def test_a_total_may_be_computed_where_others_follow(declare: Declare) -> None:
    source = declare(PARENT.replace('records = "r"', 'records = "r"\ntotal = "floor(n)"'))
    assert page_of(source, {"r": [], "n": 3.0}).total == 3


@pytest.mark.parametrize("end", [None, False, ""])
def test_a_cursor_ends_at_nothing(declare: Declare, end: object) -> None:
    source = declare(PLAIN + 'paging = { kind = "cursor", next = "n", param = "c" }')
    assert page_of(source, {"n": end}).following is None
    assert page_of(source, {}).following is None


@pytest.mark.parametrize(("token", "sent"), [("abc", "abc"), (17, "17"), (0, "0"), (1.50, "1.5")])
def test_a_cursor_is_text_or_a_number(declare: Declare, token: object, sent: str) -> None:
    source = declare(PLAIN + 'paging = { kind = "cursor", next = "n", param = "c" }')
    assert page_of(source, {"n": token}).following == sent


@pytest.mark.parametrize("token", [True, [], {}, ["a"]], ids=repr)
def test_a_cursor_that_is_neither_token_nor_end_is_violated(
    declare: Declare, token: object
) -> None:
    source = declare(PLAIN + 'paging = { kind = "cursor", next = "n", param = "c" }')
    with pytest.raises(Violated, match="unknown shape"):
        page_of(source, {"n": token})


def test_the_next_page_may_stand_in_a_header(declare: Declare) -> None:
    source = declare(PLAIN + 'paging = { kind = "link" }')
    found = judge(source, first(source), Answer(200, b"[1]", link="?page=2"))
    assert isinstance(found, Page)
    assert found.following == "?page=2"


@given(st.lists(st.integers(0, 5) | st.text("ab", max_size=2), max_size=12))
def test_keys_are_the_same_exactly_where_the_values_are(declare: Declare, ids: list[Any]) -> None:
    source = declare(PLAIN + 'key = "id"\nexpect = { unique_key = true }')
    page = page_of(source, [{"id": value} for value in ids])
    assert len(page.keys) == len(ids)
    assert len(set(page.keys)) == len({json.dumps(value) for value in ids})


def test_a_record_without_a_part_of_its_key_is_counted(declare: Declare) -> None:
    source = declare(PLAIN + 'key = ["a.id", "b"]\nexpect = { unique_key = true }')
    rows = [{"a": {"id": 1}, "b": 2}, {"a": None, "b": 2}, {"b": 2}, {"a": {"id": 1}}, 5]
    page = page_of(source, rows)
    assert (len(page.keys), page.keyless) == (1, 4)


def test_parts_of_a_key_are_never_joined_to_another_key(declare: Declare) -> None:
    source = declare(PLAIN + 'key = ["a", "b"]\nexpect = { unique_key = true }')
    rows = [{"a": "x,", "b": "y"}, {"a": "x", "b": ",y"}, {"a": 'x","', "b": "y"}]
    assert len(set(page_of(source, rows).keys)) == 3


def test_keys_cost_nothing_where_none_must_be_unique(declare: Declare) -> None:
    assert len(page_of(declare(PLAIN + 'key = "id"'), [{"id": 1}]).keys) == 0


def test_an_expression_that_the_types_do_not_allow_is_violated(declare: Declare) -> None:
    source = declare(PLAIN + 'records = "keys(r)"')
    with pytest.raises(Violated, match=r"keys\(r\)"):
        page_of(source, {"r": 5})


def test_what_an_expression_cannot_be_applied_to_is_told_far_enough_to_be_cleaned(
    declare: Declare,
) -> None:
    source = declare(PLAIN + 'records = "keys(r)"')
    with pytest.raises(Violated, match=r"x{5000}") as violated:
        page_of(source, {"r": "x" * 5000 + "\n"})
    assert len(str(violated.value).splitlines()) == 1


def test_a_number_without_an_end_under_an_expression_is_violated(declare: Declare) -> None:
    source = declare(PLAIN + 'total = "ceil(n)"')
    with pytest.raises(Violated):
        page_of(source, {"n": math.inf})
