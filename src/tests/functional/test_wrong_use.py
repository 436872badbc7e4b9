"""A wrong option, catalog or environment is answered by its place and its mend, and exit 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.shop import ITEMS, TREE, Shop

SOURCE = '[source.shop]\nbase_url = "http://127.0.0.1:9"\n'
RIGHT = SOURCE + ITEMS
EACH = '{ endpoint = "items", select = "[].id", as = "id" }'

CATALOGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "empty": ("", ("[source.NAME]",)),
    "no TOML": ("[source.shop", ("TOML",)),
    "no TOML at all": ("{}", ("TOML",)),
    "unknown top key": ("defaults = []\n" + RIGHT, ("defaults", "default")),
    "unknown default": ('default = ["shopp"]\n' + RIGHT, ("default", "shopp", '"shop"')),
    "default no list": ('default = "shop"\n' + RIGHT, ("default", "list")),
    "source no table": ("source = 1\n", ("source",)),
    "source a number": ("[source]\nshop = 1\n", ("source.shop", "table")),
    "bad source name": (RIGHT.replace("source.shop", "source.Shop"), ("Shop", "a-z")),
    "no base_url": (RIGHT.replace("base_url", "#"), ("source.shop", "base_url", "needed")),
    "base_url no URL": (RIGHT.replace("http:", "htp:"), ("base_url", "htp")),
    "base_url with query": (RIGHT.replace(":9", ":9/?a=1"), ("base_url", "params")),
    "base_url with user": (RIGHT.replace("//", "//u:p@"), ("base_url", "auth")),
    "no endpoint": (SOURCE, ("source.shop", "endpoint")),
    "misspelt source key": (SOURCE + "wokers = 2\n" + ITEMS, ("wokers", '"workers"')),
    "misspelt endpoint key": (RIGHT + 'recods = "a"\n', ("items", "recods", '"records"')),
    "misspelt nested key": (
        RIGHT + "expect = { min_record = 1 }\n",
        ("min_record", '"min_records"'),
    ),
    "no name": (RIGHT.replace("name", "#"), ("endpoint", "name", "needed")),
    "no path": (RIGHT.replace('path = "', '# "'), ("items", "path", "needed")),
    "bad name": (RIGHT.replace('"items"', '"Items-1"', 1), ("name", "a-z")),
    "two of a name": (RIGHT + ITEMS, ("items", "name", "two")),
    "bad JMESPath": (RIGHT + 'records = "[1"\n', ("items", "records", "JMESPath")),
    "workers zero": (SOURCE + "workers = 0\n" + ITEMS, ("workers", "1")),
    "workers text": (SOURCE + 'workers = "4"\n' + ITEMS, ("workers", "number")),
    "attempts zero": (SOURCE + "retry = { attempts = 0 }\n" + ITEMS, ("retry.attempts", "1")),
    "rate without unit": (SOURCE + 'rate = "3"\n' + ITEMS, ("rate", "3/s")),
    "rate a number": (SOURCE + "rate = 3\n" + ITEMS, ("rate", "quotes")),
    "duration": (SOURCE + 'timeout = { total = "5 min" }\n' + ITEMS, ("timeout.total", "5m")),
    "size": (SOURCE + 'max_body = "64"\n' + ITEMS, ("max_body", "64MiB")),
    "paging without kind": (RIGHT + 'paging = { param = "p" }\n', ("paging", "kind")),
    "paging of no kind": (RIGHT + 'paging = { kind = "pages" }\n', ("paging", "pages", '"page"')),
    "paging lacks pages": (
        RIGHT + 'paging = { kind = "page", param = "p" }\n',
        ("pages", "needed"),
    ),
    "auth of two forms": (
        SOURCE + 'auth = { bearer_env = "A", param = "b", env = "C" }\n' + ITEMS,
        ("auth", "one of"),
    ),
    "auth misspelt": (SOURCE + 'auth = { bearer = "A" }\n' + ITEMS, ("auth", '"bearer_env"')),
    "unknown parent": (
        RIGHT + f"for_each = {EACH.replace('items', 'item')}\n",
        ("for_each.endpoint", "item"),
    ),
    "own parent": (RIGHT.replace('"items"\n', '"{id}"\n') + f"for_each = {EACH}\n", ("for_each",)),
    "reserved as": (
        SOURCE + TREE.replace('as = "id"', 'as = "page"').replace("{id}", "{page}"),
        ("for_each.as", "page"),
    ),
    "value of no parent": (RIGHT.replace('path = "items"', 'path = "{id}"'), ("path", "{id}")),
    "value unused": (SOURCE + TREE.replace("{id}", "x"), ("for_each.as", "{id}")),
    "unique without key": (RIGHT + "expect = { unique_key = true }\n", ("unique_key", "key")),
    "min above max": (RIGHT + "expect = { min_records = 2, max_records = 1 }\n", ("min_records",)),
    "budget without per": (
        SOURCE + "budget = { requests = 5 }\n" + ITEMS,
        ("budget.per", "needed"),
    ),
    "header not allowed": (SOURCE + 'headers = { Host = "x" }\n' + ITEMS, ("headers.Host",)),
    "status out of range": (SOURCE + "retry = { statuses = [200] }\n" + ITEMS, ("statuses", "400")),
    "max_pages zero": (RIGHT + 'paging = { kind = "link", max_pages = 0 }\n', ("max_pages", "1")),
}


def told(text: str) -> list[str]:
    """The lines of an answer to wrong use, which are one or two and no traceback."""
    lines = text.splitlines()
    assert 1 <= len(lines) <= 2, text
    assert "Traceback" not in text
    return lines


@pytest.mark.parametrize("kind", list(CATALOGS))
def test_a_broken_catalog_is_answered_by_file_table_key_and_mend(shop: Shop, kind: str) -> None:
    text, words = CATALOGS[kind]
    shop.catalog.write_text(text)
    ran = shop.extract()
    said = " ".join(told(ran.err))
    assert (ran.status, ran.out) == (2, "")
    assert str(shop.catalog) in said
    assert [word for word in words if word not in said] == []
    assert shop.run("catalog", "check", str(shop.catalog)).status == 2


@pytest.mark.parametrize("data", [None, b"\xff\xfe[", b"a = 1\n" * 3 + b"\x00"])
def test_a_catalog_that_cannot_be_read_is_named(shop: Shop, data: bytes | None) -> None:
    if data is not None:
        shop.catalog.write_bytes(data)
    ran = shop.extract()
    assert (ran.status, str(shop.catalog) in "".join(told(ran.err))) == (2, True)


OPTIONS: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "unknown option": (["--worker", "2"], ("--worker", "--workers")),
    "unknown source": (["shopp"], ("shopp", '"shop"')),
    "workers zero": (["--workers", "0"], ("--workers", "1")),
    "workers text": (["--workers", "many"], ("--workers", "many")),
    "deadline without unit": (["--deadline", "45"], ("--deadline", "5m")),
    "deadline zero": (["--deadline", "0s"], ("--deadline",)),
    "max requests negative": (["--max-requests", "-1"], ("--max-requests",)),
    "no date": (["--date", "yesterday"], ("--date", "yesterday", "2026-11-24")),
    "impossible date": (["--date", "2026-02-30"], ("--date", "2026-02-30")),
    "future date": (["--date", "2999-01-01"], ("2999-01-01", "future")),
    "past date": (["--date", "2020-01-01"], ("2020-01-01", "--allow-backdate")),
    "log level": (["--log-level", "loud"], ("--log-level", "debug")),
    "accept no endpoint": (["--accept", "item.max_drop"], ("--accept", '"items"')),
    "accept no check": (["--accept", "items.max_drops"], ("--accept", '"max_drop"')),
    "accept no pair": (["--accept", "items"], ("--accept", "items")),
    "location of no kind": (["--to", "gs://bucket"], ("gs://bucket", "s3://")),
    "bucket without name": (["--to", "s3://"], ("bucket",)),
    "option without value": (["--to"], ("--to",)),
}


@pytest.mark.parametrize("kind", list(OPTIONS))
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_a_wrong_option_is_answered_by_its_name_and_its_mend(
    shop: Shop, kind: str, as_json: bool
) -> None:
    options, words = OPTIONS[kind]
    shop.declare()
    ran = shop.run("extract", "--catalog", str(shop.catalog), *["--json"] * as_json, *options)
    said = " ".join(told(ran.err))
    assert ran.status == 2
    assert [word for word in words if word not in said] == []
    if as_json:
        assert ran.document["exit_status"] == 2
        assert ran.document["error"]
    else:
        assert ran.out == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ASHORE_WORKERS", "0"),
        ("ASHORE_DEADLINE", "soon"),
        ("ASHORE_MAX_REQUESTS", "x"),
        ("ASHORE_DATE", "2026-13-01"),
        ("ASHORE_LOG_LEVEL", "loud"),
        ("ASHORE_JSON", "perhaps"),
        ("ASHORE_ALLOW_BACKDATE", "2"),
        ("ASHORE_ACCEPT", "items.nothing"),
        ("ASHORE_TO", "ftp://x"),
        ("ASHORE_SCHEDULED_AT", "2026-11-24T01:00:00"),
        ("ASHORE_SCHEDULED_AT", "2026-11-24"),
        ("ASHORE_SCHEDULED_AT", "2999-01-01T00:00:00Z"),
    ],
    ids=lambda text: text.removeprefix("ASHORE_"),
)
def test_a_wrong_variable_is_named(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    shop.declare()
    monkeypatch.setenv(name, value)
    ran = shop.run("extract", "--catalog", str(shop.catalog))
    said = " ".join(told(ran.err))
    assert ran.status == 2
    option = "--" + name.removeprefix("ASHORE_").lower().replace("_", "-")
    assert name in said or option in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["extrat"],
        ["catalog"],
        ["catalog", "chek"],
        ["verify", "--date", "x"],
        ["verify", "--date", "2026-11-24", "--all"],
        ["status", "--days", "0"],
        ["standin", "--fault", "status=x"],
        ["standin", "--port", "70000"],
        [],
    ],
    ids=" ".join,
)
def test_a_wrong_command_is_answered_shortly(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "landing").mkdir()
    ran = shop.run(*arguments)
    assert ran.status == 2
    assert "Traceback" not in ran.err
    if arguments not in ([], ["catalog"]):
        told(ran.err)


def test_json_comes_with_the_failure_of_any_command(shop: Shop) -> None:
    for command in (["verify"], ["status"]):
        ran = shop.run(*command, "--to", str(shop.landing), "--json")
        assert (ran.status, json.loads(ran.out)["exit_status"]) == (5, 5)
