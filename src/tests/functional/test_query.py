"""`ashore query`: what SQL sees of a location, how little is read for it, and what it may not."""

from __future__ import annotations

import csv
import io
import json
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from ashore import query
from ashore.catalog import Catalog
from ashore.catalog_file import read_catalog
from ashore.cli import main
from ashore.errors import Misconfigured
from ashore.folder import Folder
from ashore.query import Question, ask
from ashore.touched import Reference, references
from tests.support.days import land
from tests.support.process import ashore, start

CATALOG = """
default = ["shop"]

[source.shop]
base_url = "https://api.example.org"

[[source.shop.endpoint]]
name = "items"
path = "items"
records = "rows"

[[source.shop.endpoint]]
name = "orders"
path = "orders/{shop}"
for_each = { endpoint = "items", select = "rows[].id", as = "shop" }
"""
DAYS = ("2026-11-20", "2026-11-21", "2026-11-22")
BIG = 2**77 + 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A location with three complete days, one that is not, and the catalog beside it."""
    root = tmp_path_factory.mktemp("query")
    for number, date in enumerate(DAYS):
        rows = [{"id": f"i{n}", "price": BIG + n, "day": number} for n in range(3)]
        orders = {
            f"orders/shop=i{n}.json": [{"shop": "other", "sold": n + number}, {"sold": 1.5}]
            for n in range(3)
        }
        land(root / "landing", date, {"items/all.json": {"rows": rows}, **orders})
    half = root / "landing/raw/extraction_date=2026-11-23/source=shop/endpoint=items/all.json"
    half.parent.mkdir(parents=True)
    half.write_text('{"rows": [{"id": "not yet"}]}')
    (root / "shop.toml").write_text(CATALOG)
    return root


@pytest.fixture(scope="module")
def catalog(folder: Path) -> Catalog:
    return read_catalog(folder / "shop.toml")


def asked(folder: Path, catalog: Catalog, sql: str) -> tuple[list[tuple[str | None, ...]], int]:
    """The rows of an answer, and how many objects were read for it."""
    store = Folder(folder / "landing")
    with ask(store, catalog, Question(sql), lambda _done, _of: None) as answer:
        return [*answer.result.rows()], answer.reading.objects


def _sorted(sql: str) -> str:
    return f"select * from ({sql}) order by all"  # noqa: S608 - the test's own


@dataclass(frozen=True)
class Told:
    status: int
    out: str
    err: str


class Shell(Protocol):
    """Asks a query in a folder, where `landing` and `shop.toml` lie."""

    def __call__(self, folder: Path, *arguments: str) -> Told: ...


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("COLUMNS", "80")

    def ask_there(folder: Path, *arguments: str) -> Told:
        monkeypatch.chdir(folder)
        capsys.readouterr()
        status = main(["query", "--catalog", "shop.toml", *arguments])
        said = capsys.readouterr()
        return Told(status, said.out, said.err)

    return ask_there


def test_only_complete_days_are_seen(folder: Path, catalog: Catalog) -> None:
    rows, _ = asked(folder, catalog, "select distinct extraction_date from shop.items order by 1")
    assert rows == [(date,) for date in DAYS]


def test_the_value_of_for_each_is_a_column_and_hides_no_field(
    folder: Path, catalog: Catalog
) -> None:
    rows, _ = asked(
        folder,
        catalog,
        "select extraction_date, shop, record_shop, sold from shop.orders "
        "where extraction_date = '2026-11-20' order by all",
    )
    assert rows[:3] == [
        ("2026-11-20", "i0", "other", "0.0"),
        ("2026-11-20", "i0", None, "1.5"),
        ("2026-11-20", "i1", "other", "1.0"),
    ]


@pytest.mark.parametrize(
    ("sql", "objects"),
    [
        ("select 1", 0),
        ("select count(*) from shop.items", 3),
        ("select count(*) from shop.orders", 9),
        ("select * from shop.orders where extraction_date = '2026-11-21'", 3),
        ("select * from SHOP.Orders o where o.Extraction_Date = '2026-11-21'", 3),
        ("select * from shop.orders where shop = 'i1'", 3),
        ("select * from shop.orders where shop = 'i1' and extraction_date > '2026-11-20'", 2),
        ("select * from shop.orders where shop = 'i1' or extraction_date = '2026-11-20'", 5),
        ("select * from shop.orders where shop like 'i%' and sold > 1", 9),
        ("select * from shop.orders where extraction_date > current_date", 3),
        ("select sold from shop.orders where shop = 'nobody'", 3),
        ("select * from shop.orders where extraction_date = 'no date'", 9),
        ("select * from shop.orders where random() < 2 and extraction_date = '2026-11-20'", 3),
        ("with o as (select * from shop.orders where shop = 'i0') select count(*) from o", 3),
        (
            (
                "select * from shop.items a join shop.items b using (id) "
                "where a.extraction_date = '2026-11-20' and b.extraction_date = '2026-11-22'"
            ),
            2,
        ),
        (
            (
                "select * from shop.items i join shop.orders o "
                "on i.id = o.shop and i.extraction_date = o.extraction_date "
                "where i.extraction_date = '2026-11-21'"
            ),
            4,
        ),
        (
            (
                "select i.id, o.sold from shop.items i left join shop.orders o "
                "on o.shop = i.id and o.extraction_date = '2026-11-21' "
                "where i.extraction_date = '2026-11-21'"
            ),
            10,
        ),
        (
            (
                "select id, sold from shop.items i left join shop.orders o on o.shop = i.id "
                "where o.extraction_date = '2026-11-21' or o.extraction_date is null"
            ),
            12,
        ),
        ("select * from shop.items anti join shop.orders using (extraction_date)", 12),
        (
            (
                "select extraction_date from shop.items where extraction_date = '2026-11-20' "
                "union all select extraction_date from shop.items "
                "where extraction_date = '2026-11-21'"
            ),
            2,
        ),
        (
            ("select sold::int as shop, count(*) from shop.orders where shop = 'i1' group by all"),
            9,
        ),
        (
            (
                "select (select count(*) from shop.orders o where o.extraction_date = "
                "i.extraction_date) from shop.items i where i.extraction_date = '2026-11-20'"
            ),
            10,
        ),
    ],
)
def test_what_is_read_is_what_is_touched_and_the_answer_is_that_of_all_that_landed(
    folder: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, sql: str, objects: int
) -> None:
    try:
        rows, read = asked(folder, catalog, _sorted(sql))
    except Misconfigured:
        rows, read = None, objects
    assert read == objects
    carefully = references

    def all_of_them(*arguments: Any) -> list[Reference]:
        return [Reference(each.view) for each in carefully(*arguments)]

    monkeypatch.setattr(query, "references", all_of_them)
    if rows is None:
        with pytest.raises(Misconfigured):
            asked(folder, catalog, _sorted(sql))
    else:
        everything, _ = asked(folder, catalog, _sorted(sql))
        assert rows == everything


def test_integers_are_never_rounded(shell: Shell, folder: Path) -> None:
    sql = "select id, price, {'p': price} as nested from shop.items where day = 0 order by id"
    document = json.loads(shell(folder, sql, "--json").out)
    assert document["rows"][0] == {"id": "i0", "price": BIG, "nested": {"p": BIG}}
    (_, first, *_) = csv.reader(io.StringIO(shell(folder, sql, "--csv").out))
    assert first == ["i0", str(BIG), f'{{"p":{BIG}}}']
    assert f" {BIG} " in shell(folder, sql).out


def test_the_document_says_what_was_read(shell: Shell, folder: Path) -> None:
    ended = shell(folder, "select count(*) as n from shop.orders where shop = 'i1'", "--json")
    document = json.loads(ended.out)
    assert (document["exit_status"], document["error"], document["format"]) == (0, None, 1)
    assert document["columns"] == [{"name": "n", "type": "BIGINT"}]
    assert (document["rows"], document["read"]) == ([{"n": 6}], {"days": 3, "objects": 3})
    assert "3 of 3 days landed under another declaration" in ended.err


WRITING = [
    "copy (select 1) to 'out.csv'",
    "attach 'out.db'",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "select 1; select 2",
    "create table t as select 1",
    "export database 'out'",
    "pragma version",
    "explain analyze select 1",
    "",
]
REACHING = [
    "with w as (insert into shop.items values (1) returning *) select * from w",
    "select * from read_text('/etc/hostname')",
    "select * from read_csv('shop.toml')",
    "select * from 'shop.toml'",
    "select * from glob('*')",
    "select * from 'http://127.0.0.1:9/x.json'",
    "select * from parquet_scan('s3://bucket/x')",
    "select * from connection",
]


@pytest.mark.parametrize("sql", [*WRITING, *REACHING])
def test_a_query_only_reads_and_only_what_landed(shell: Shell, folder: Path, sql: str) -> None:
    before = sorted(folder.rglob("*"))
    ended = shell(folder, sql)
    assert (ended.status, ended.out) == (2, "")
    (line,) = ended.err.splitlines()
    assert line.startswith("ashore: ")
    if sql in WRITING:
        assert "only a single SELECT is answered" in line
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("selec 1", 'syntax error at or near "selec"'),
        ("select prize from shop.items", '"prize" not found'),
        ("select * from shop.item", 'did you mean "shop.items"?'),
        ("select * from items", 'did you mean "shop.items"?'),
        ("select * from shap.items", 'did you mean "shop.items"?'),
        ("select id::int from shop.items", "Could not convert string 'i0'"),
        ("select 1" + " + 1" * 900, "nested too deep"),
    ],
)
def test_a_wrong_query_is_one_line(shell: Shell, folder: Path, sql: str, said: str) -> None:
    for more in ([], ["--json"], ["--csv"]):
        ended = shell(folder, sql, *more)
        assert (ended.status, len(ended.err.splitlines())) == (2, 1)
        assert said in ended.err
        assert "--json" not in more or json.loads(ended.out)["exit_status"] == 2


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["select * from shop.items", "--date", "2026-11-23"], 4, "no complete day of shop 2026"),
        (["select * from shop.items", "--to", "nowhere"], 5, "nowhere"),
        (["select 1", "--date", "2026-11-20", "--latest"], 2, "exclude each other"),
        (["select 1", "--csv", "--json"], 2, "exclude each other"),
        (["select 1", "--memory", "much"], 2, "is not a size"),
        (["select * from shop.items", "--memory", "100kB"], 2, "more memory than --memory"),
        ([], 2, "missing argument"),
    ],
)
def test_what_is_not_there_is_named(
    shell: Shell, folder: Path, arguments: Sequence[str], status: int, said: str
) -> None:
    ended = shell(folder, *arguments)
    assert (ended.status, said in ended.err) == (status, True), ended.err
    assert len(ended.err.splitlines()) == 1


def test_one_day_and_the_latest_day_can_be_asked_alone(shell: Shell, folder: Path) -> None:
    sql = "select extraction_date as d, count(*) as n from shop.items group by all"
    for more, date in (["--date", DAYS[0]], DAYS[0]), (["--latest"], DAYS[-1]):
        assert json.loads(shell(folder, sql, "--json", *more).out)["rows"] == [{"d": date, "n": 3}]


def test_an_api_cannot_steer_the_terminal(shell: Shell, tmp_path: Path) -> None:
    row = {"id": "\x1b[31mred\x07", "[bold]\x1bx": "[red]:smile:", "w": "\u202e" + "y" * 500}
    land(tmp_path / "landing", DAYS[0], {"items/all.json": {"rows": [row]}})
    (tmp_path / "shop.toml").write_text(CATALOG)
    ended = shell(tmp_path, "select * from shop.items")
    assert ended.status == 0
    assert not {"\x1b", "\x07", "\u202e"} & set(ended.out)
    assert "\\x1b[31mred\\x07" in ended.out
    assert "[red]:smile:" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80
    document = shell(tmp_path, "select * from shop.items", "--json").out
    assert document.isascii()
    assert json.loads(document)["rows"][0]["id"] == row["id"]


def test_a_changed_body_is_told(shell: Shell, tmp_path: Path) -> None:
    land(tmp_path / "landing", DAYS[0], {"items/all.json": {"rows": [{"id": 1}]}})
    (tmp_path / "shop.toml").write_text(CATALOG)
    body = tmp_path / f"landing/raw/extraction_date={DAYS[0]}/source=shop/endpoint=items/all.json"
    body.write_text('{"rows": [{"id": 2}]}')
    ended = shell(tmp_path, "select * from shop.items")
    assert (ended.status, ended.out) == (4, "")
    assert "not those that landed" in ended.err


def test_without_the_extra_a_line_says_how_to_install_it(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "duckdb.py").write_text("raise ImportError('no module named duckdb')\n")
    (tmp_path / "shop.toml").write_text(CATALOG)
    ended = ashore(
        *("query", "select 1", "--catalog", "shop.toml"),
        cwd=tmp_path,
        env={"PYTHONPATH": str(hidden)},
    )
    assert ended.status == 2
    assert ended.err.splitlines() == [
        "ashore: ashore query needs DuckDB, which is not installed; pip install 'ashore[query]'"
    ]


def test_duckdb_is_loaded_by_no_other_command(tmp_path: Path) -> None:
    hidden = tmp_path / "duckdb.py"
    hidden.write_text("raise SystemExit('loaded')\n")
    for command in (["--version"], ["catalog", "check"], ["query", "--help"]):
        assert ashore(*command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}).status == 0


def test_a_table_shows_as_much_as_there_is_room_for_and_says_so(shell: Shell, folder: Path) -> None:
    wide = ", ".join(f"'{'x' * 30}' as column_{n}" for n in range(20))
    ended = shell(folder, f"select {wide} from range(300)")  # noqa: S608 - the test's own
    assert "300 rows; shown: the first 200 rows, 5 of 20 columns" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80


def test_a_location_in_s3_is_asked_as_a_folder_is(
    shell: Shell, folder: Path, s3_location: str, s3_client: Any
) -> None:
    bucket, _, prefix = s3_location.removeprefix("s3://").partition("/")
    landing = folder / "landing"
    for file in filter(Path.is_file, landing.rglob("*")):
        key = f"{prefix}/{file.relative_to(landing)}"
        s3_client.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
    sql = "select extraction_date, shop, sold from shop.orders where shop <> 'i0' order by all"
    there = shell(folder, sql, "--json", "--to", s3_location)
    assert there.status == 0, there.err
    assert json.loads(there.out) == json.loads(shell(folder, sql, "--json").out)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_query_that_takes_for_ever_ends_with_a_signal_and_leaves_nothing(
    folder: Path, tmp_path: Path, sent: signal.Signals
) -> None:
    endless = "select count(*) from range(10**9::bigint) a, range(10**9::bigint) b where a < b"
    with start(
        *("query", "--catalog", "shop.toml", endless), cwd=folder, env={"TMPDIR": str(tmp_path)}
    ) as running:
        running.wait_for(lambda: any(tmp_path.glob("ashore-*/*.db")))
        running.kill(sent)
        ended = running.finish(20)
    assert ended.status == 128 + sent
    assert [*tmp_path.iterdir()] == []
