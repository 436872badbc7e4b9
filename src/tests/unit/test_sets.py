from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ashore.answers import Page, examine
from ashore.catalog import Endpoint
from ashore.errors import Violated
from ashore.expectations import Check, Figures, checks
from ashore.sets import Disagreement, Extent, agree, duplicates, judge, number_of_pages, progress
from tests.unit.conftest import Declare

HEAD = '[[source.api.endpoint]]\nname = "things"\npath = "things"\nkey = "id"\n'
NUMBERED = HEAD + 'paging = { kind = "page", param = "page", pages = "pages", max_pages = 50 }\n'
OFFSET = HEAD + 'paging = { kind = "offset", param = "offset", max_pages = 50 }\n'
CURSOR = HEAD + 'paging = { kind = "cursor", next = "next", param = "c", max_pages = 50 }\n'
LINK = HEAD + 'paging = { kind = "link", max_pages = 50 }\n'
SIZES = st.lists(st.integers(1, 9), min_size=2, max_size=8)


def nothing(figures: Figures) -> list[Check]:
    return []


def expected(endpoint: Endpoint, *accepted: str) -> Callable[[Figures], list[Check]]:
    return lambda figures: checks(endpoint.expect, figures, accepted)


def endpoint_of(declare: Declare, text: str) -> Endpoint:
    return declare(text).endpoints[0]


def whole(endpoint: Endpoint, pages: Sequence[Page]) -> None:
    """Take pages in one by one, as a run does, then judge them all."""
    for number in range(1, len(pages) + 1):
        extent = progress(endpoint, pages[:number])
        assert (extent is Extent.WHOLE) is (number == len(pages))
    judge(endpoint, pages, nothing)


def test_one_answer_is_a_set(declare: Declare) -> None:
    whole(endpoint_of(declare, HEAD), [Page(3)])


@given(SIZES)
def test_numbered_pages_that_agree_are_whole(declare: Declare, sizes: list[int]) -> None:
    pages = [Page(size, total=sum(sizes), pages=len(sizes)) for size in sizes]
    whole(endpoint_of(declare, NUMBERED), pages)


@given(SIZES, st.integers(-3, 3).filter(bool), st.data())
@pytest.mark.parametrize("shape", [NUMBERED, OFFSET, CURSOR, LINK])
def test_a_total_that_changes_between_pages_is_caught(
    declare: Declare, shape: str, sizes: list[int], change: int, data: st.DataObject
) -> None:
    changed = data.draw(st.integers(1, len(sizes) - 1))
    pages = [
        Page(size, total=sum(sizes) + change * (n == changed), following=f"t{n}")
        for n, size in enumerate(sizes)
    ]
    with pytest.raises(Disagreement, match="declares"):
        progress(endpoint_of(declare, shape), pages[: changed + 1])


@given(SIZES, st.data())
def test_a_number_of_pages_that_changes_is_caught(
    declare: Declare, sizes: list[int], data: st.DataObject
) -> None:
    changed = data.draw(st.integers(1, len(sizes) - 1))
    pages = [Page(size, pages=len(sizes) + (n == changed)) for n, size in enumerate(sizes)]
    with pytest.raises(Disagreement, match="pages"):
        progress(endpoint_of(declare, NUMBERED), pages[: changed + 1])
    with pytest.raises(Disagreement, match="pages"):
        agree(pages[0], pages[changed], changed + 1)


@given(SIZES, st.integers(-5, 5).filter(bool))
@pytest.mark.parametrize("shape", [NUMBERED, OFFSET, CURSOR, LINK])
def test_a_set_that_is_not_as_long_as_declared_is_caught(
    declare: Declare, shape: str, sizes: list[int], wrong: int
) -> None:
    total = max(sum(sizes) + wrong, 0)
    pages = [Page(size, total=total, pages=len(sizes)) for size in sizes]
    with pytest.raises(Disagreement, match=f"declares {total} records and sent {sum(sizes)}"):
        judge(endpoint_of(declare, shape), pages, nothing)


@given(SIZES, st.data())
def test_a_listing_cut_short_is_caught_by_its_empty_page(
    declare: Declare, sizes: list[int], data: st.DataObject
) -> None:
    short = data.draw(st.integers(1, len(sizes) - 1))
    told = [*sizes[:short], 0]
    pages = [Page(size, total=sum(sizes)) for size in told]
    with pytest.raises(Disagreement, match="empty"):
        progress(endpoint_of(declare, OFFSET), pages)


@given(SIZES, st.data())
def test_no_numbered_page_before_the_last_may_be_empty(
    declare: Declare, sizes: list[int], data: st.DataObject
) -> None:
    sizes[data.draw(st.integers(0, len(sizes) - 2))] = 0
    pages = [Page(size, pages=len(sizes)) for size in sizes]
    with pytest.raises(Disagreement, match="empty"):
        judge(endpoint_of(declare, NUMBERED), pages, nothing)


def test_an_offset_whose_first_page_is_empty_is_an_empty_set(declare: Declare) -> None:
    endpoint = endpoint_of(declare, OFFSET + "expect = { allow_empty = true }")
    whole(endpoint, [Page(0)])
    whole(endpoint, [Page(0, total=0)])


@given(
    st.lists(st.sampled_from("abcdef"), min_size=2, max_size=12), st.sampled_from([CURSOR, LINK])
)
def test_a_cursor_that_repeats_is_violated_and_no_other(
    declare: Declare, tokens: list[str], shape: str
) -> None:
    endpoint = endpoint_of(declare, shape)
    fresh = next((n for n, t in enumerate(tokens) if t in tokens[:n]), len(tokens))
    pages = [Page(1, following=token) for token in tokens]
    for number in range(1, fresh + 1):
        assert progress(endpoint, pages[:number]) is Extent.MORE
    if fresh < len(tokens):
        with pytest.raises(Violated, match="came before"):
            progress(endpoint, pages[: fresh + 1])


@pytest.mark.parametrize("shape", [OFFSET, CURSOR, LINK])
def test_pages_without_an_end_are_violated(declare: Declare, shape: str) -> None:
    endpoint = endpoint_of(declare, shape)
    pages = [Page(1, following=f"t{n}") for n in range(50)]
    assert progress(endpoint, pages[:49]) is Extent.MORE
    with pytest.raises(Violated, match="max_pages = 50"):
        progress(endpoint, pages)


@pytest.mark.parametrize(("announced", "asked"), [(None, 1), (0, 1), (1, 1), (50, 50)])
def test_the_first_page_announces_how_many_there_are(
    declare: Declare, announced: int | None, asked: int
) -> None:
    assert number_of_pages(endpoint_of(declare, NUMBERED), Page(1, pages=announced)) == asked


@pytest.mark.parametrize("announced", [51, 10**30])
def test_more_pages_than_allowed_are_violated_before_they_are_asked(
    declare: Declare, announced: int
) -> None:
    endpoint = endpoint_of(declare, NUMBERED)
    with pytest.raises(Violated, match="max_pages = 50"):
        number_of_pages(endpoint, Page(1, pages=announced))
    with pytest.raises(Violated, match="max_pages = 50"):
        progress(endpoint, [Page(1, pages=announced)])


@pytest.mark.parametrize("pages", [[Page(0)], [Page(0, total=0)], [Page(0), Page(0)]])
def test_a_set_without_records_needs_leave(declare: Declare, pages: list[Page]) -> None:
    with pytest.raises(Disagreement, match="allow_empty"):
        judge(endpoint_of(declare, CURSOR), pages, nothing)
    judge(endpoint_of(declare, CURSOR + "expect = { allow_empty = true }"), pages, nothing)


def test_a_set_must_be_what_is_expected_of_it(declare: Declare) -> None:
    endpoint = endpoint_of(declare, CURSOR + "expect = { min_records = 5 }")
    with pytest.raises(Disagreement, match="min_records"):
        judge(endpoint, [Page(2), Page(2)], expected(endpoint))
    judge(endpoint, [Page(2), Page(3)], expected(endpoint))
    judge(endpoint, [Page(2), Page(2)], expected(endpoint, "min_records"))


@given(st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=4))
def test_a_key_that_repeats_over_all_pages_is_counted(
    declare: Declare, ids: list[list[int]]
) -> None:
    source = declare(CURSOR + "expect = { unique_key = true, allow_empty = true }")
    endpoint = source.endpoints[0]
    bodies = [str([{"id": i} for i in page]).replace("'", '"').encode() for page in ids]
    cursorless = endpoint.model_copy(update={"paging": None})
    pages = [examine(source, cursorless, body) for body in bodies]
    flat = [i for page in ids for i in page]
    assert duplicates(pages) == len(flat) - len(set(flat))
    if duplicates(pages):
        with pytest.raises(Disagreement, match="unique_key"):
            judge(endpoint, pages, expected(endpoint))
