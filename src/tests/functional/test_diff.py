"""Two days with known differences: the table and the document tell exactly those."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ashore.cli import main
from ashore.folder import Folder
from ashore.location import open_store
from ashore.store import Body
from tests.support.days import land
from tests.support.shop import Ran

if TYPE_CHECKING:
    from collections.abc import Callable

D1, D2 = "2026-11-24", "2026-11-25"
CATALOG = """
default = ["shop"]
[source.shop]
base_url = "http://api.example"
[[source.shop.endpoint]]
name = "items"
path = "items"
records = "data.list"
key = "id"
[[source.shop.endpoint]]
name = "loose"
path = "loose"
"""
BIG = 2**77


def items(*records: object, request: int = 0) -> dict[str, object]:
    """An answer with a list of records."""
    return {"request": request, "data": {"list": list(records)}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A location, and a catalog beside it."""
    (tmp_path / "catalog.toml").write_text(CATALOG)
    return tmp_path / "landing"


@pytest.fixture
def diff(root: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run the command on both days."""

    def run(*arguments: str, to: str = str(root)) -> Ran:
        catalog = str(root.parent / "catalog.toml")
        status = main(["diff", "--to", to, "--catalog", catalog, *(arguments or (D1, D2))])
        shown = capsys.readouterr()
        return Ran(status, shown.out, shown.err)

    return run


def two_days(root: Path) -> None:
    """Known differences, one of each kind."""
    earlier = {
        "items/page=1.json": items(
            {"id": 1, "name": "pen", "size": {"cm": 1}, "tags": ["a", "b"]},
            {"id": 2, "name": "cup", "note": None, "old": True},
            {"id": 3, "name": "key"},
        ),
        "items/page=2.json": items({"id": BIG, "n": BIG}, {"id": 5, "x": [1, 2]}),
        "items/page=10.json": items({"id": 6, "name": "same"}, request=1),
        "loose/all.json": b'[{"a": 1}, {"a": 1}, {"a": 2}]',
    }
    later = {
        "items/page=1.json": items(
            {"id": 1, "name": "pen", "size": {"cm": 1.5}, "tags": ["a", "c"], "new": 1},
            {"id": 2, "name": "cup", "note": None, "old": True},
            {"id": 4, "name": None},
        ),
        "items/page=2.json": items({"id": BIG, "n": BIG + 1}, {"id": 5, "x": [1]}),
        "items/page=10.json": items({"name": "same", "id": 6}, request=2),
        "loose/all.json": b'[{"a": 1.0}, {"a": 3}, {"a": 2}]',
    }
    land(root, D1, earlier)
    land(root, D2, later)


def endpoint(ran: Ran, name: str) -> dict[str, Any]:
    """What the document says of an endpoint."""
    assert ran.status == 0, ran.err
    (source,) = ran.document["sources"]
    found: dict[str, Any] = next(e for e in source["endpoints"] if e["endpoint"] == name)
    return found


def test_the_document_tells_exactly_what_differs(root: Path, diff: Callable[..., Ran]) -> None:
    two_days(root)
    ran = diff(D1, D2, "--json")
    found = endpoint(ran, "items")
    assert {name: found[name] for name in ("added", "removed", "changed", "unchanged")} == {
        "added": 1,
        "removed": 1,
        "changed": 3,
        "unchanged": 2,
    }
    assert found["added_examples"] == [{"key": "4", "record": '{"id":4,"name":null}'}]
    assert found["removed_examples"] == [{"key": "3", "record": '{"id":3,"name":"key"}'}]
    assert {e["key"]: e["fields"] for e in found["changed_examples"]} == {
        "1": [
            {"field": "new", "earlier": None, "later": "1"},
            {"field": "size.cm", "earlier": "1", "later": "1.5"},
            {"field": "tags[1]", "earlier": '"b"', "later": '"c"'},
        ],
        "5": [{"field": "x", "earlier": "[1,2]", "later": "[1]"}],
        str(BIG): [{"field": "n", "earlier": str(BIG), "later": str(BIG + 1)}],
    }
    assert found["changed_fields"] == {"n": 1, "new": 1, "size.cm": 1, "tags[]": 1, "x": 1}
    assert {d["field"]: d["kinds"] for d in found["fields"]} == {
        "name": ["null more often"],
        "new": ["appeared"],
        "size.cm": ["type"],
    }
    (null,) = [d for d in found["fields"] if d["field"] == "name"]
    assert null["later"] == {
        "of": 6,
        "present": 4,
        "null": 1,
        "types": {"null": 1, "string": 3},
    }
    assert found["only_bytes"] == ["endpoint=items/page=10.json"]
    assert (found["objects"]["changed"], found["objects"]["only_bytes"]) == (2, 1)


def test_without_a_key_whole_records_are_compared(root: Path, diff: Callable[..., Ran]) -> None:
    two_days(root)
    found = endpoint(diff(D1, D2, "--json", "--endpoint", "loose"), "loose")
    assert (found["added"], found["removed"], found["changed"]) == (1, 1, 0)
    assert found["added_examples"] == [{"key": None, "record": '{"a":3}'}]
    # 1 became 1.0, which is the same number, and another type to whoever reads it.
    assert [(d["field"], d["kinds"]) for d in found["fields"]] == [("a", ["type"])]


def test_the_table_tells_it_to_people(root: Path, diff: Callable[..., Ran]) -> None:
    two_days(root)
    ran = diff()
    assert ran.status == 0
    for told in ("size.cm: 1 → 1.5", '{"id":3,"name":"key"}', "null more often", "page=10.json"):
        assert told in ran.out
    summary = diff(D1, D2, "--summary")
    assert "size.cm" not in summary.out
    assert "only bytes" in summary.out


def test_nothing_of_an_answer_steers_the_terminal(root: Path, diff: Callable[..., Ran]) -> None:
    hostile = "\x1b[31m[bold]\u202e\ud800"
    land(root, D1, {"items/page=1.json": items({"id": hostile, hostile: 1}, {"id": 1, "a": 1})})
    land(root, D2, {"items/page=1.json": items({"id": 1, "a": hostile, f"{hostile}2": hostile})})
    ran = diff()
    assert ran.status == 0
    assert not {"\x1b", "\u202e", "\ud800"} & set(ran.out)
    assert "[bold]" in ran.out
    assert endpoint(diff(D1, D2, "--json"), "items")["removed"] == 1


@pytest.mark.parametrize("depth", [70, 400, 900, 960, 980])
def test_what_is_nested_deep_is_compared_or_refused(
    root: Path, diff: Callable[..., Ran], depth: int
) -> None:
    for day, value in ((D1, b"1"), (D2, b"2")):
        deep = b'{"a":[' * (depth // 2) + value + b"]}" * (depth // 2)
        land(root, day, {"items/page=1.json": b'{"data":{"list":[{"id":1,"a":%b}]}}' % deep})
    ran = diff(D1, D2, "--json")
    if ran.status == 4 and depth > 900:
        assert "nested too deep" in ran.err
        return
    found = endpoint(ran, "items")
    assert (found["changed"], len(found["changed_fields"])) == (1, 1)


def test_examples_have_an_end_and_figures_have_none(root: Path, diff: Callable[..., Ran]) -> None:
    long = "x" * 5_000
    land(root, D1, {"items/page=1.json": items({"id": "a", "long": ""})})
    many = [{"id": f"{n:03d}"} for n in range(50)]
    land(root, D2, {"items/page=1.json": items({"id": "a", "long": long}, *many)})
    found = endpoint(diff(D1, D2, "--json", "--examples", "3"), "items")
    assert (found["added"], [e["key"] for e in found["added_examples"]]) == (
        50,
        ['"000"', '"001"', '"002"'],
    )
    (change,) = found["changed_examples"]
    assert (len(change["fields"][0]["later"]), change["fields"][0]["later"][-1]) == (2_001, "…")


def test_keys_that_repeat_or_are_none_tell_no_change(root: Path, diff: Callable[..., Ran]) -> None:
    land(root, D1, {"items/page=1.json": items({"id": 1, "a": 1}, {"id": 1, "a": 2}, {"a": 1})})
    land(root, D2, {"items/page=1.json": items({"id": 1, "a": 3}, {"id": 1, "a": 4}, {"a": 2})})
    found = endpoint(diff(D1, D2, "--json"), "items")
    assert (found["added"], found["removed"], found["changed"]) == (3, 3, 0)
    assert found["notes"] == [
        "2 records without a key are compared as wholes",
        "4 records whose key repeats are told as added or removed",
    ]


def test_of_keys_that_repeat_what_is_equal_cancels_out(
    root: Path, diff: Callable[..., Ran]
) -> None:
    land(root, D1, {"items/page=1.json": items({"id": 1, "a": 1}, {"id": 1, "a": 2})})
    land(root, D2, {"items/page=2.json": items({"id": 1, "a": 2}, {"id": 1, "a": 3})})
    found = endpoint(diff(D1, D2, "--json"), "items")
    assert (found["added"], found["removed"], found["changed"]) == (0, 0, 1)
    assert (found["objects"]["added"], found["objects"]["removed"]) == (1, 1)


def test_an_endpoint_of_one_day_only_has_no_drift(root: Path, diff: Callable[..., Ran]) -> None:
    land(root, D1, {"loose/all.json": [1]})
    land(root, D2, {"loose/all.json": [1], "items/page=1.json": items({"id": 1})})
    found = endpoint(diff(D1, D2, "--json"), "items")
    assert (found["added"], found["fields"]) == (1, [])


def test_what_the_catalog_does_not_know_is_said(root: Path, diff: Callable[..., Ran]) -> None:
    land(root, D1, {"other/all.json": [1]})
    land(root, D2, {"other/all.json": [2]})
    (source,) = diff(D1, D2, "--json").document["sources"]
    assert source["endpoints"] == []
    assert source["notes"][1] == "not in the catalog, and not compared: other"
    assert "another declaration" in source["notes"][0]


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ((D1, "2026-11-26"), 4, "2026-11-26/source=shop/manifest.json: no manifest stands there"),
        ((D1, "soon"), 2, 'D2: "soon" is not a date'),
        ((D1, D2, "shoo"), 2, 'did you mean "shop"?'),
        ((D1, D2, "--endpoint", "item"), 2, 'did you mean "items"?'),
        ((D1,), 2, "missing argument"),
        ((D1, D2, "--to", "nowhere"), 5, "nowhere"),
    ],
)
def test_a_mistake_is_one_line(
    root: Path, diff: Callable[..., Ran], arguments: tuple[str, ...], status: int, told: str
) -> None:
    two_days(root)
    ran = diff(*arguments, "--json")
    assert (ran.status, len(ran.err.splitlines())) == (status, 1)
    assert told in ran.err
    assert ran.document["exit_status"] == status


@pytest.mark.parametrize("damage", ["gone", "other"])
def test_an_object_that_is_not_as_it_landed_is_named(
    root: Path, diff: Callable[..., Ran], damage: str
) -> None:
    two_days(root)
    file = root / f"raw/extraction_date={D2}/source=shop/endpoint=items/page=2.json"
    file.unlink()
    if damage == "other":
        file.write_text("{}")
    ran = diff()
    assert ran.status == 4
    assert "endpoint=items/page=2.json" in ran.err
    assert "ashore verify" in ran.err


def test_receipts_that_are_not_the_manifests_are_refused(
    root: Path, diff: Callable[..., Ran]
) -> None:
    two_days(root)
    (receipts,) = root.glob(f"manifests/extraction_date={D1}/source=shop/runs/*/receipts.jsonl")
    lines = receipts.read_text().splitlines(keepends=True)
    receipts.write_text("".join(lines[1:]))
    ran = diff()
    assert (ran.status, "receipts.jsonl" in ran.err) == (4, True)


def test_a_location_is_only_read(root: Path, diff: Callable[..., Ran]) -> None:
    two_days(root)
    before = {file: file.stat().st_mtime_ns for file in root.rglob("*")}
    assert diff().status == 0
    assert {file: file.stat().st_mtime_ns for file in root.rglob("*")} == before


def test_days_in_s3_are_compared_alike(
    root: Path, diff: Callable[..., Ran], s3_location: str
) -> None:
    two_days(root)
    local, remote = Folder(root), open_store(s3_location)
    for entry in [*local.list("raw/"), *local.list("manifests/")]:
        remote.create(entry.path, Body.of(local.read(entry.path) or b""))
    here, there = diff(D1, D2, "--json"), diff(D1, D2, "--json", to=s3_location)
    assert there.status == 0
    assert json.loads(there.out) == json.loads(here.out)
