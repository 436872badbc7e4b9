"""What the documents say is what the program does."""

import itertools
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ashore import catalog as declared
from ashore.catalog import Source
from ashore.catalog_file import read_catalog
from ashore.cli import main
from ashore.errors import ExitStatus
from ashore.expectations import NAMES as CHECKS
from ashore.standin import Standin
from update_docs import FAULTS, blocks, commands, rewritten

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    page
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    if page.name != "CHANGELOG.md"  # it tells of what was, too
)
REFERENCE = ROOT / "docs" / "reference.md"
GUIDE = ROOT / "docs" / "your-own-api.md"
PAGING = {kind.__name__: kind for kind in get_args(get_args(declared.Paging)[0])}
NO_OPTION = {"ASHORE_METRICS_NAMESPACE", "ASHORE_SCHEDULED_AT"}
FOR_TESTS = "ASHORE_TEST_"
OPTIONAL = {"for_each", "budget"}
"""Tables that may be absent, though some of their keys are needed where they are there."""


def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def section(title: str) -> str:
    """A part of the reference, from its heading to the next one as high."""
    found = re.search(
        rf"^## {title}\n(.*?)(?=^## |\Z)", text_of(REFERENCE), re.MULTILINE | re.DOTALL
    )
    assert found, f"docs/reference.md has no part {title!r}"
    return found[1]


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of all tables whose first heading is that."""
    found = []
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        lines = [[c.strip() for c in line.strip("|\n").split(" | ")] for line in table.splitlines()]
        found += lines[2:] if lines[0][0].strip("| ") == heading else []
    return [[cell.strip("| ") for cell in line] for line in found]


def fenced(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The fragments by which GitHub knows the headings of a page."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


every_page = pytest.mark.parametrize("page", PAGES, ids=page_id)


# --- the command line


def test_the_reference_shows_what_the_program_says() -> None:
    text = text_of(REFERENCE)
    assert rewritten(text) == text, "bring it up to date: .venv/bin/python scripts/update_docs.py"


def test_the_reference_shows_the_help_of_every_command_and_all_faults() -> None:
    helps = [f"{' '.join(path)} --help" for path, _ in commands()]
    assert sorted(blocks(text_of(REFERENCE))) == sorted([*helps, FAULTS])


def test_the_reference_has_every_exit_status() -> None:
    told = [int(row[0]) for row in rows(section("Exit status"), "status")]
    assert told == sorted(ExitStatus)


def test_the_reference_lists_the_variables_that_are_looked_at() -> None:
    options = {
        str(option.envvar)
        for _, command in commands()
        for option in command.params
        if option.envvar
    }
    told = [row[0].strip("`") for row in rows(section("Environment"), "variable")]
    assert {name for name in told if name.startswith("ASHORE_")} == options | NO_OPTION


@every_page
def test_no_page_names_a_variable_that_is_not_looked_at(page: Path) -> None:
    named = set(re.findall(r"\bASHORE_[A-Z0-9_]+", text_of(page)))
    known = {row[0].strip("`") for row in rows(section("Environment"), "variable")}
    assert {name for name in named - known if not name.startswith(FOR_TESTS)} == set()


def command_lines(page: Path) -> Iterator[list[str]]:
    # What stands in quotes may go on over lines.
    called = re.compile(
        r"""^ *(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?ashore +((?:"[^"]*"|'[^']*'|[^"'#\n]|\#.*)*)$""",
        re.MULTILINE,
    )
    for block in fenced(page, "sh"):
        for rest in called.findall(block.replace("\\\n", " ")):
            words = shlex.split(rest, comments=True)
            yield [*itertools.takewhile(lambda word: word not in {"|", "<"}, words)]


@every_page
def test_every_command_line_in_a_page_can_be_typed(page: Path) -> None:
    known = {path[1:]: command for path, command in commands()}
    for words in command_lines(page):
        path = tuple(words[:2]) if tuple(words[:2]) in known else tuple(words[:1])
        assert path in known, f"there is no command {' '.join(words)}"
        known[path].make_context(" ".join(path), words[len(path) :])


@every_page
def test_every_make_target_in_a_page_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    fences = re.findall(r"^```sh\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    code = re.findall(r"`(make [^`]+)`", text_of(page)) + "\n".join(fences).splitlines()
    named = {found[1] for line in code if (found := re.match(r"\s*make ([a-z][a-z-]*)", line))}
    assert named - targets == set()


# --- the catalog


def model_of(field: FieldInfo) -> type[BaseModel] | None:
    """The table that a key holds, if it is one; not where it holds many."""
    found = [field.annotation]
    if get_origin(field.annotation) is not tuple:
        found += get_args(field.annotation)
    return next((t for t in found if isinstance(t, type) and issubclass(t, BaseModel)), None)


def keys_of(model: type[BaseModel], prefix: str = "") -> dict[str, bool]:
    """Every key of a table and of those in it, and whether it is needed."""
    found = {}
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        table = model_of(field)
        if table is None:
            found[key] = field.is_required()
        else:
            found |= keys_of(table, f"{key}.")
    return found


def keys_of_source() -> dict[str, bool]:
    keys = keys_of(Source) | {"endpoint": True}  # catalog_checks asks for at least one
    return {key: needed for key, needed in keys.items() if key not in {"name", "sha256"}}


def told_keys(title: str) -> dict[str, str]:
    """The keys in the tables of a part of the reference, each with its default."""
    return {row[0].strip("`"): row[1].strip("`") for row in rows(section(title), "key")}


def test_the_reference_has_every_key_of_a_catalog_and_no_other() -> None:
    endpoint = set(keys_of(declared.Endpoint))
    expected = {"default", "source"} | set(keys_of_source())
    expected |= {key for key in endpoint if not key.startswith("expect.")} | {"expect"}
    assert set(told_keys("Catalog")) == expected
    assert set(told_keys("Expectations")) == {k for k in endpoint if k.startswith("expect.")}


def test_the_reference_says_which_keys_are_needed() -> None:
    told = {key for key, default in told_keys("Catalog").items() if default == "needed"}
    keys = keys_of_source() | keys_of(declared.Endpoint)
    assert told == {key for key, needed in keys.items() if needed} | {"source"}


def test_the_reference_says_for_which_kinds_of_paging_a_key_is() -> None:
    kinds = {str(get_args(m.model_fields["kind"].annotation)[0]): m for m in PAGING.values()}
    told = {
        row[0].strip("`"): set(re.findall(r"\w+", row[2].split("*")[1]))
        for row in rows(section("Paging"), "key")
    }
    expected = {
        f"paging.{key}": {kind for kind, model in kinds.items() if key in model.model_fields}
        for model in kinds.values()
        for key in model.model_fields
    }
    assert told == expected


def with_defaults(keys: dict[str, str]) -> str:
    return "\n".join(
        f"{key} = {default}" for key, default in keys.items() if default not in {"none", "needed"}
    )


def test_the_defaults_are_those_of_the_reference(tmp_path: Path) -> None:
    told = told_keys("Catalog")
    paging = 'paging = { kind = "link" }\n'
    own = with_defaults({k: v for k, v in told.items() if k in keys_of_source()})
    of_endpoint = {k: v for k, v in told.items() if k in keys_of(declared.Endpoint)}
    rest = with_defaults(of_endpoint | told_keys("Expectations"))
    pages = told_keys("Paging")["paging.max_pages"]
    full = f'{rest}\npaging.kind = "link"\npaging.max_pages = {pages}\n'
    bare = source_of(tmp_path, wrapped("", paging))
    assert source_of(tmp_path, wrapped(own, full)).model_copy(update={"sha256": ""}) == (
        bare.model_copy(update={"sha256": ""})
    )


def test_the_reference_names_the_checks_that_can_be_accepted() -> None:
    assert all(f"`{name}`" in section("Expectations") for name in CHECKS)


def wrapped(source: str, endpoint: str) -> str:
    top = f'[source.some]\nbase_url = "http://127.0.0.1"\n{source}\n'
    return f'{top}[[source.some.endpoint]]\nname = "one"\npath = "one"\n{endpoint}\n'


def source_of(folder: Path, text: str) -> Source:
    file = folder / "catalog.toml"
    file.write_text(text, "utf-8")
    return next(iter(read_catalog(file).sources.values()))


def completed(block: str) -> str:
    """A part of a catalog, made whole by what has to stand around it."""
    tables: dict[str, Any] = tomllib.loads(block)
    if any("base_url" in source for source in tables.get("source", {}).values()):
        return block
    if "source" in tables:  # another endpoint of a source that the page declared before
        name = next(iter(tables["source"]))
        parent = f'[[source.{name}.endpoint]]\nname = "items"\npath = "items"\n'
        return f'[source.{name}]\nbase_url = "http://127.0.0.1"\n{parent}{block}'
    own = {key.partition(".")[0] for key in keys_of_source()}
    return wrapped(block, "") if set(tables) <= own else wrapped("", f'key = "id"\n{block}')


@every_page
def test_every_catalog_in_a_page_can_be_read(page: Path, tmp_path: Path) -> None:
    for block in fenced(page, "toml"):
        assert source_of(tmp_path, completed(block)).endpoints


@pytest.mark.slow  # a server
def test_the_catalog_of_the_guide_extracts_what_the_guide_says(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ten_lines, more = fenced(GUIDE, "toml")[:2]
    assert len([line for line in ten_lines.splitlines() if line]) <= 10
    file = tmp_path / "world.toml"
    with Standin() as standin:
        for location, text, requests in [("1", ten_lines, 3), ("2", ten_lines + more, 53)]:
            before = standin.counts().total
            file.write_text(
                text.replace("http://127.0.0.1:8321", standin.url).replace("50/s", "500/s"), "utf-8"
            )
            to = str(tmp_path / location)
            assert main(["extract", "--catalog", str(file), "--to", to]) == ExitStatus.COMPLETE
            assert standin.counts().total - before == requests
    assert "complete" in capfd.readouterr().out


# --- the pages


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        there = (page.parent / path) if path else page
        assert there.exists(), f"{target} is not there"
        assert not fragment or fragment in anchors(there), f"{target}: no such heading"


@every_page
def test_no_page_names_a_place_on_somebodys_machine(page: Path) -> None:
    assert not re.findall(r"(?:^|[\s`(])/(?:home|work|tmp|Users|root|var)/", text_of(page))


def test_decisions_are_numbered_and_dated() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for number, record in enumerate(records, start=1):
        title, _, status = text_of(record).splitlines()[:3]
        assert title.startswith(f"# {number}. ")
        assert re.fullmatch(r"Status: \w+, \d{4}-\d{2}-\d{2}", status)
