import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ashore.catalog import Offset, PageNumbers
from ashore.catalog_file import described, read_catalog, text_of
from ashore.errors import Misconfigured
from ashore.units import Rate

SOURCE = '[source.api]\nbase_url = "http://api.example"\n'
ENDPOINT = SOURCE + '[[source.api.endpoint]]\nname = "things"\npath = "things"\n'
LIST = "source.api.endpoint.things"
CHILD = ENDPOINT + '[[source.api.endpoint]]\nname = "thing"\npath = "things/{id}"\n'
FOR_EACH = 'for_each = { endpoint = "things", select = "[].id", as = "id" }\n'


class Broken(NamedTuple):
    """A catalog, and what the one line about it must hold: table, key, and the mend."""

    text: str
    table: str
    key: str
    mend: str


BROKEN = {
    "empty": Broken("", "", "", "[source.NAME]"),
    "no source": Broken('default = ["api"]', "", "", "[source.NAME]"),
    "misspelt top": Broken(f"defualt = []\n{ENDPOINT}", "", "defualt", '"default"'),
    "misspelt source": Broken('[sources.api]\nbase_url = "http://x"', "", "sources", '"source"'),
    "source is no table": Broken("[source]\napi = 3", "source.api", "", "must be a table"),
    "default is text": Broken(f'default = "api"\n{ENDPOINT}', "", "default", 'default = ["NAME"]'),
    "default is unknown": Broken(f'default = ["apo"]\n{ENDPOINT}', "", "default", '"api"'),
    "source name": Broken(ENDPOINT.replace(".api", ".Api"), "source.Api", "", "a-z"),
    "long source name": Broken(
        ENDPOINT.replace(".api", f".{'a' * 61}"), f"source.{'a' * 61}", "", "up to 60"
    ),
    "no base_url": Broken("[source.api]\nworkers = 1", "source.api", "base_url", "is needed"),
    "base_url of another kind": Broken(
        ENDPOINT.replace("http://", "ftp://"), "source.api", "base_url", "http or https"
    ),
    "base_url with a password": Broken(
        ENDPOINT.replace("http://", "http://a:b@"), "source.api", "base_url", "auth"
    ),
    "base_url with a query": Broken(
        ENDPOINT.replace("example", "example?a=1"), "source.api", "base_url", "params"
    ),
    "base_url without a host": Broken(
        ENDPOINT.replace("api.example", "/x"), "source.api", "base_url", "http or https"
    ),
    "base_url of no host's name": Broken(
        ENDPOINT.replace("api.example", "*.example"), "source.api", "base_url", "name of a host"
    ),
    "base_url not in ASCII": Broken(
        ENDPOINT.replace("//api.", "//\u00e4pi."), "source.api", "base_url", '"xn--pi-uia.example"'
    ),
    "no endpoint": Broken(SOURCE, "source.api", "endpoint", "[[source.api.endpoint]]"),
    "endpoint is one table": Broken(
        ENDPOINT.replace("[[", "[").replace("]]", "]"), "source.api", "endpoint", "list"
    ),
    "misspelt key": Broken(f'{SOURCE}errror = "e"', "source.api", "errror", '"error"'),
    "misspelt retry": Broken(
        f"{SOURCE}retry = {{ attemps = 1 }}", "source.api", "retry.attemps", '"attempts"'
    ),
    "misspelt timeout": Broken(
        f'{SOURCE}timeout = {{ totel = "1s" }}', "source.api", "timeout.totel", '"total"'
    ),
    "misspelt endpoint key": Broken(f"{ENDPOINT}recods = 'x'", LIST, "recods", '"records"'),
    "misspelt expect": Broken(
        f"{ENDPOINT}expect = {{ min_record = 1 }}", LIST, "expect.min_record", '"min_records"'
    ),
    "misspelt paging": Broken(
        f'{ENDPOINT}paging = {{ kind = "page", param = "p", page = "x", pages = "y" }}',
        LIST,
        "paging.page",
        '"pages"',
    ),
    "misspelt cursor": Broken(
        f'{ENDPOINT}paging = {{ kind = "cursor", nxt = "x", next = "y" }}',
        LIST,
        "paging.nxt",
        '"next"',
    ),
    "misspelt for_each": Broken(
        f'{CHILD}for_each = {{ endpoint = "things", selct = "x", select = "[].id", as = "id" }}',
        "source.api.endpoint.thing",
        "for_each.selct",
        '"select"',
    ),
    "reserved key": Broken(f'{SOURCE}sha256 = "x"', "source.api", "sha256", "not known"),
    "rate without a unit": Broken(f'{SOURCE}rate = "3"', "source.api", "rate", '"3/s"'),
    "rate as a number": Broken(f"{SOURCE}rate = 3", "source.api", "rate", "quotes"),
    "timeout without a unit": Broken(
        f"{SOURCE}timeout = {{ read = 5 }}", "source.api", "timeout.read", "unit"
    ),
    "timeout is a number": Broken(f"{SOURCE}timeout = 5", "source.api", "timeout", "table"),
    "size without a unit": Broken(f'{SOURCE}max_body = "64"', "source.api", "max_body", '"64MiB"'),
    "workers as text": Broken(f'{SOURCE}workers = "4"', "source.api", "workers", "whole number"),
    "no workers": Broken(f"{SOURCE}workers = 0", "source.api", "workers", "at least 1"),
    "no attempts": Broken(
        f"{SOURCE}retry = {{ attempts = 0 }}", "source.api", "retry.attempts", "at least 1"
    ),
    "a good status tried again": Broken(
        f"{SOURCE}retry = {{ statuses = [200] }}", "source.api", "retry.statuses.0", "at least 400"
    ),
    "breaker of nothing": Broken(f"{SOURCE}breaker = 0", "source.api", "breaker", "at least 1"),
    "error is no expression": Broken(f'{SOURCE}error = "[0"', "source.api", "error", "JMESPath"),
    "records is no expression": Broken(f"{ENDPOINT}records = 'a b'", LIST, "records", "JMESPath"),
    "records is a number": Broken(f"{ENDPOINT}records = 1", LIST, "records", "quotes"),
    "records is empty": Broken(f"{ENDPOINT}records = ''", LIST, "records", "JMESPath"),
    "unknown function": Broken(f"{ENDPOINT}total = 'lenght(@)'", LIST, "total", "length"),
    "no key at all": Broken(f"{ENDPOINT}key = []", LIST, "key", "at least one"),
    "one wrong key of two": Broken(f"{ENDPOINT}key = ['a', '[']", LIST, "key", "JMESPath"),
    "endpoint without a name": Broken(
        f"{SOURCE}[[source.api.endpoint]]\npath = 'x'",
        "source.api.endpoint.#1",
        "name",
        "is needed",
    ),
    "endpoint without a path": Broken(
        f"{SOURCE}[[source.api.endpoint]]\nname = 'x'", "source.api.endpoint.x", "path", "is needed"
    ),
    "endpoint name": Broken(
        ENDPOINT.replace('"things"', '"Things"', 1), "source.api.endpoint.Things", "name", "a-z"
    ),
    "endpoint twice": Broken(
        ENDPOINT + ENDPOINT.removeprefix(SOURCE), LIST, "name", "give each its own"
    ),
    "path with a query": Broken(
        ENDPOINT.replace('path = "things"', 'path = "x?a=1"'), LIST, "path", "params"
    ),
    "path is a URL": Broken(
        ENDPOINT.replace('path = "things"', 'path = "http://b.example"'), LIST, "path", "base_url"
    ),
    "parameter is a list": Broken(
        f"{ENDPOINT}params = {{ ids = [1] }}", LIST, "params.ids", "must be text"
    ),
    "parameter named page is a list": Broken(
        f"{ENDPOINT}params = {{ page = [1] }}", LIST, "params.page", "must be text"
    ),
    "parameter named street is a date": Broken(
        f"{ENDPOINT}params = {{ street = 2026-11-24 }}", LIST, "params.street", "must be text"
    ),
    "paging without a kind": Broken(
        f'{ENDPOINT}paging = {{ param = "p" }}', LIST, "paging", "page, offset, cursor, link"
    ),
    "paging of an unknown kind": Broken(
        f'{ENDPOINT}paging = {{ kind = "ofset" }}', LIST, "paging", '"offset"'
    ),
    "paging by one param for two things": Broken(
        f'{ENDPOINT}paging = {{ kind = "offset", param = "p", size = 9, size_param = "p" }}',
        LIST,
        "paging.size_param",
        "asks for the page already",
    ),
    "max_drop is a flag": Broken(
        f"{ENDPOINT}expect = {{ max_drop = true }}", LIST, "expect.max_drop", "must be a number"
    ),
    "paging without pages": Broken(
        f'{ENDPOINT}paging = {{ kind = "page", param = "p" }}', LIST, "paging.pages", "is needed"
    ),
    "paging with half a size": Broken(
        f'{ENDPOINT}paging = {{ kind = "offset", param = "o", size = 5 }}',
        LIST,
        "paging",
        "go together",
    ),
    "paging in the params too": Broken(
        f'{ENDPOINT}params = {{ p = 1 }}\npaging = {{ kind = "page", param = "p", pages = "x" }}',
        LIST,
        "paging.param",
        '"p"',
    ),
    "no page at most": Broken(
        f'{ENDPOINT}paging = {{ kind = "link", max_pages = 0 }}',
        LIST,
        "paging.max_pages",
        "at least 1",
    ),
    "unique without a key": Broken(
        f"{ENDPOINT}expect = {{ unique_key = true }}", LIST, "expect.unique_key", "key = "
    ),
    "unique as text": Broken(
        f'{ENDPOINT}expect = {{ unique_key = "yes" }}', LIST, "expect.unique_key", "true or false"
    ),
    "least above most": Broken(
        f"{ENDPOINT}expect = {{ min_records = 2, max_records = 1 }}",
        LIST,
        "expect.min_records",
        "max_records",
    ),
    "drop of more than all": Broken(
        f"{ENDPOINT}expect = {{ max_drop = 1.5 }}", LIST, "expect.max_drop", "at most 1"
    ),
    "missing sets of a single set": Broken(
        f"{ENDPOINT}expect = {{ allow_missing = 1 }}", LIST, "expect.allow_missing", "for_each"
    ),
    "auth of two forms": Broken(
        f'{SOURCE}auth = {{ bearer_env = "A", header = "B", env = "C" }}\n'
        + ENDPOINT.removeprefix(SOURCE),
        "source.api",
        "auth",
        "one of",
    ),
    "auth without a variable": Broken(
        f'{SOURCE}auth = {{ header = "X-Api-Key" }}\n' + ENDPOINT.removeprefix(SOURCE),
        "source.api",
        "auth",
        'env = "NAME"',
    ),
    "auth in the params too": Broken(
        f'{SOURCE}auth = {{ param = "k", env = "KEY" }}\n'
        + ENDPOINT.removeprefix(SOURCE)
        + "params = { k = 1 }",
        "source.api",
        "auth.param",
        '"k"',
    ),
    "header with a line end": Broken(
        f'{SOURCE}headers = {{ X = "a\\nb" }}\n' + ENDPOINT.removeprefix(SOURCE),
        "source.api",
        "headers.X",
        "printable",
    ),
    "header of our own": Broken(
        f'{SOURCE}headers = {{ Accept-Encoding = "br" }}\n' + ENDPOINT.removeprefix(SOURCE),
        "source.api",
        "headers.Accept-Encoding",
        "leave it out",
    ),
    "budget without a window": Broken(
        f"{SOURCE}budget = {{ requests = 5 }}", "source.api", "budget.per", "is needed"
    ),
    "budget of nothing": Broken(
        f'{SOURCE}budget = {{ requests = 0, per = "1d" }}',
        "source.api",
        "budget.requests",
        "at least 1",
    ),
    "nothing gives a value": Broken(
        CHILD, "source.api.endpoint.thing", "path", "nothing gives {id} a value"
    ),
    "misspelt placeholder": Broken(
        CHILD + FOR_EACH.replace('as = "id"', 'as = "ide"'),
        "source.api.endpoint.thing",
        "path",
        '"ide"',
    ),
    "unknown parent": Broken(
        CHILD + FOR_EACH.replace('"things"', '"thingz"'),
        "source.api.endpoint.thing",
        "for_each.endpoint",
        '"things"',
    ),
    "its own parent": Broken(
        CHILD + FOR_EACH.replace('"things"', '"thing"'),
        "source.api.endpoint.thing",
        "for_each.endpoint",
        "itself",
    ),
    "reserved as": Broken(
        (CHILD + FOR_EACH).replace("{id}", "{page}").replace('as = "id"', 'as = "page"'),
        "source.api.endpoint.thing",
        "for_each.as",
        "another name",
    ),
    "as of capitals": Broken(
        CHILD + FOR_EACH.replace('as = "id"', 'as = "ID"'),
        "source.api.endpoint.thing",
        "for_each.as",
        "a-z",
    ),
    "as that is not used": Broken(
        (CHILD + FOR_EACH).replace("things/{id}", "thing"),
        "source.api.endpoint.thing",
        "for_each.as",
        "{id}",
    ),
}


def mistakes(folder: Path, text: str) -> list[str]:
    path = folder / "catalog.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Misconfigured) as refused:
        read_catalog(path)
    assert refused.value.status == 2
    return str(refused.value).splitlines()


def complaint(path: Path) -> str:
    try:
        read_catalog(path)
    except Misconfigured as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_mistake_is_one_line_with_its_place_and_its_mend(broken: Broken, tmp_path: Path) -> None:
    lines = mistakes(tmp_path, broken.text)
    place = f"{tmp_path / 'catalog.toml'}: "
    place += f"[{broken.table}] " if broken.table else ""
    place += f"{broken.key}: " if broken.key else ""
    fitting = [line for line in lines if line.startswith(place) and broken.mend in line]
    assert fitting, lines


@pytest.mark.parametrize("name", ["source", "endpoint", "extraction_date", "page"])
def test_the_names_of_the_layout_cannot_be_values(name: str, tmp_path: Path) -> None:
    text = (CHILD + FOR_EACH).replace("{id}", f"{{{name}}}").replace('as = "id"', f'as = "{name}"')
    assert any("for_each.as" in line for line in mistakes(tmp_path, text))


def test_every_mistake_of_a_catalog_is_told_at_once(tmp_path: Path) -> None:
    text = f'defualt = ["x"]\n{SOURCE}workers = 0\nrate = "x"\n'
    assert len(mistakes(tmp_path, text)) == 3


def test_two_parents_may_not_give_the_same_name(tmp_path: Path) -> None:
    third = '[[source.api.endpoint]]\nname = "part"\npath = "part/{id}"\n'
    text = CHILD + FOR_EACH + third + FOR_EACH.replace('"things"', '"thing"')
    assert any("for_each.as" in line and "taken" in line for line in mistakes(tmp_path, text))


def test_parents_in_a_circle_are_refused(tmp_path: Path) -> None:
    first = ENDPOINT.replace('path = "things"', 'path = "{a}"')
    text = (
        f'{first}for_each = {{ endpoint = "thing", select = "x", as = "a" }}\n'
        + CHILD.removeprefix(ENDPOINT)
        + FOR_EACH
    )
    assert all("for_each.endpoint" in line for line in mistakes(tmp_path, text))


def test_what_is_not_toml_names_its_line(tmp_path: Path) -> None:
    assert "line 2" in mistakes(tmp_path, "default = []\nsource = = 1")[0]


def test_what_is_not_utf_8_names_its_byte(tmp_path: Path) -> None:
    path = tmp_path / "catalog.toml"
    path.write_bytes(b'a = "\xff"')
    with pytest.raises(Misconfigured, match="byte 5 is not UTF-8"):
        read_catalog(path)


@pytest.mark.parametrize("name", ["absent.toml", "."])
def test_a_catalog_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        read_catalog(tmp_path / name)


def test_no_depth_of_tables_ends_in_a_traceback(tmp_path: Path) -> None:
    for text in ("a = " + "[" * 5000, "a" + ".a" * 2000 + " = 1", "a = " + "[" * 400 + "]" * 400):
        assert mistakes(tmp_path, text)


def test_a_deep_expression_is_refused_like_another_mistake(tmp_path: Path) -> None:
    depth = 2000
    text = f"{ENDPOINT}records = '{'(' * depth}a{')' * depth}'"
    assert any("records" in line for line in mistakes(tmp_path, text))


@pytest.mark.filterwarnings("ignore:deprecated string literal")
@given(st.text("[]{}()*@&|.,:!?<>=abc0123456789'\"`-", max_size=15))
@example("`a`")
def test_no_expression_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, expression: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "expression.toml"
    path.write_text(f"{ENDPOINT}records = {json.dumps(expression)}", encoding="utf-8")
    said = complaint(path)
    assert not said or re.search(r"\[source.api.endpoint.things\] records: ", said)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
VALUES = st.recursive(
    SCALARS.filter(lambda v: v is not None) | st.text("ab/:", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text("abk", min_size=1), inner, max_size=2)
    ),
    max_leaves=4,
)
KEYS = ["base_url", "error", "rate", "workers", "retry", "timeout", "max_body", "licence", "auth"]
KEYS += ["headers", "budget", "breaker", "endpoint"]


def toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return repr(value) if "." in repr(value) or "e" in repr(value) else repr(value).lower()
    return json.dumps(value)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4))
def test_no_value_of_a_key_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, table: dict[str, object]
) -> None:
    path = tmp_path_factory.getbasetemp() / "values.toml"
    lines = [f"{key} = {toml(value)}" for key, value in table.items()]
    path.write_text("\n".join(["[source.api]", *lines]), encoding="utf-8")
    with pytest.raises(Misconfigured) as refused:
        read_catalog(path)
    assert all(line.startswith(f"{path}: [source.api") for line in str(refused.value).splitlines())


def test_the_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text(ENDPOINT, encoding="utf-8")
    catalog = read_catalog(path)
    source = catalog.sources["api"]
    assert catalog.default == ("api",)
    assert (source.workers, source.breaker, source.max_body) == (8, 10, 64 * 2**20)
    assert (source.rate, source.auth, source.budget) == (None, None, None)
    retry, timeout = source.retry, source.timeout
    assert (retry.attempts, retry.max_wait, retry.max_pause) == (5, 60, 600)
    assert (retry.statuses, retry.errors) == ((), True)
    assert (timeout.connect, timeout.read, timeout.total) == (10, 60, 300)


def test_an_endpoint_expects_a_record_and_every_set_unless_said(tmp_path: Path) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text(ENDPOINT + "paging = { kind = 'link' }", encoding="utf-8")
    endpoint = read_catalog(path).sources["api"].endpoint("things")
    assert endpoint.paging is not None
    assert endpoint.paging.max_pages == 10_000
    assert (endpoint.expect.allow_empty, endpoint.expect.allow_missing) == (False, 0)


EXAMPLE = """
default = ["world_bank"]

[source.world_bank]
base_url = "https://api.worldbank.org/v2"
error    = "[0].message"
rate     = "3/s"
workers  = 4
retry    = { attempts = 5, max_wait = "60s", max_pause = "10m", statuses = [400, 403] }
timeout  = { connect = "10s", read = "60s", total = "5m" }
max_body = "64MiB"
licence  = "CC BY 4.0"

[[source.world_bank.endpoint]]
name    = "countries"
path    = "country"
params  = { format = "json", per_page = 400 }
paging  = { kind = "page", param = "page", pages = "[0].pages" }
records = "[1]"
total   = "[0].total"
key     = "id"
expect  = { min_records = 250, unique_key = true }

[[source.world_bank.endpoint]]
name     = "population"
for_each = { endpoint = "countries", select = "[1][?region.id != 'NA'].id", as = "country" }
path     = "country/{country}/indicator/SP.POP.TOTL"
params   = { format = "json", mrv = 10, per_page = 100 }
records  = "[1]"
total    = "[0].total"
key      = ["country.id", "date"]
expect   = { allow_empty = true }
"""


def test_the_packaged_world_bank_is_the_one_of_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text(EXAMPLE, encoding="utf-8")
    packaged, example = read_catalog(None), read_catalog(path)
    assert packaged.default == example.default
    assert described(packaged.sources["world_bank"]) == described(example.sources["world_bank"])
    assert packaged.sources["world_bank"].sha256 == example.sources["world_bank"].sha256


def test_the_package_carries_three_sources_of_which_one_needs_a_key() -> None:
    sources = read_catalog(None).sources
    assert sorted(sources) == ["countries_dev", "rest_countries", "world_bank"]
    variables = {name: source.auth.variable for name, source in sources.items() if source.auth}
    assert variables == {"rest_countries": "REST_COUNTRIES_API_KEY"}


def test_the_packaged_rest_countries_keeps_to_its_free_plan() -> None:
    source = read_catalog(None).sources["rest_countries"]
    assert source.base_url == "https://api.restcountries.com/countries/v5"
    assert source.rate == Rate(20, 10.0)
    assert source.budget is not None
    assert (source.budget.requests, source.budget.per) == (500, 30 * 86400)
    countries = source.endpoint("countries")
    assert isinstance(countries.paging, Offset)
    assert (countries.paging.size, str(countries.total)) == (100, "data.meta.total")


def test_the_text_of_the_packaged_catalog_is_a_catalog(tmp_path: Path) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text(text_of(None), encoding="utf-8")
    assert read_catalog(path) == read_catalog(None)


def test_the_fingerprint_of_a_source_follows_its_part_of_the_catalog_alone(tmp_path: Path) -> None:
    def fingerprint(text: str) -> str:
        path = tmp_path / "catalog.toml"
        path.write_text(text, encoding="utf-8")
        return read_catalog(path).sources["api"].sha256

    alike = ENDPOINT.replace("\n", "  # said\n") + ENDPOINT.replace(".api", ".other")
    assert fingerprint(ENDPOINT) == fingerprint(alike)
    assert fingerprint(ENDPOINT) != fingerprint(ENDPOINT + "key = 'id'")


def test_one_expression_is_a_key_as_a_list_of_one_is(tmp_path: Path) -> None:
    texts = ["key = 'id'", "key = ['id']", "key = ['a.id', 'date']"]
    keys = []
    for text in texts:
        path = tmp_path / "catalog.toml"
        path.write_text(ENDPOINT + text, encoding="utf-8")
        keys.append(
            [str(each) for each in read_catalog(path).sources["api"].endpoints[0].key or ()]
        )
    assert keys == [["id"], ["id"], ["a.id", "date"]]


def test_a_grandchild_may_use_the_values_of_all_its_parents(tmp_path: Path) -> None:
    third = '[[source.api.endpoint]]\nname = "part"\npath = "{id}"\nparams = { p = "{part}" }\n'
    parts = 'for_each = { endpoint = "thing", select = "parts", as = "part" }\n'
    path = tmp_path / "catalog.toml"
    path.write_text(CHILD + FOR_EACH + third + parts, encoding="utf-8")
    source = read_catalog(path).sources["api"]
    assert source.lineage(source.endpoint("part")) == ("id", "part")
    assert [child.name for child in source.children("things")] == ["thing"]


def test_a_percentage_may_be_a_whole_number(tmp_path: Path) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text(ENDPOINT + "expect = { max_drop = 0 }", encoding="utf-8")
    assert read_catalog(path).sources["api"].endpoints[0].expect.max_drop == 0


def test_numbered_pages_are_asked_as_declared() -> None:
    paging = read_catalog(None).sources["world_bank"].endpoint("countries").paging
    assert isinstance(paging, PageNumbers)
    assert (paging.param, str(paging.pages)) == ("page", "[0].pages")
