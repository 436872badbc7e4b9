"""The recipes of docs/reading.md, run as they stand there, print what stands below them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import sqlglot
from sqlglot import errors

from ashore.catalog_file import text_of
from ashore.standin import Standin, catalog_text
from tests.conftest import go_without
from tests.support.process import ashore, environment

PAGE = Path(__file__).parents[3] / "docs" / "reading.md"
DAYS = {"2025-01-06": "2024-04", "2025-01-13": "2025-01"}
RECIPE = re.compile(
    r"<!-- recipe -->\n```(sh|python|sql)\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL
)
ATHENA = re.compile(r"<!-- athena -->\n```sql\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Recipe:
    language: str
    code: str
    printed: str


RECIPES = [Recipe(*found) for found in RECIPE.findall(PAGE.read_text("utf-8"))]
STATEMENTS = ATHENA.findall(PAGE.read_text("utf-8"))


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `landing`, in which both days are complete, and a catalog."""
    folder = tmp_path_factory.mktemp("reading")
    for date, edition in DAYS.items():
        with Standin(edition=edition) as server:
            (folder / "standin.toml").write_text(catalog_text(server.url, "1000/s", text_of(None)))
            ended = ashore(
                *("extract", "--catalog", "standin.toml", "--date", date, "--allow-backdate"),
                cwd=folder,
            )
        assert ended.status == 0, ended.err
    return folder


def run(recipe: Recipe, folder: Path) -> str:
    """What a recipe prints, run where `landing` lies."""
    if recipe.language == "sql":
        here = Path.cwd()
        os.chdir(folder)
        try:
            rows = duckdb.execute(recipe.code).fetchall()
        finally:
            os.chdir(here)
        return "".join(f"{' '.join(map(str, row))}\n" for row in rows)
    command = (
        ["bash", "-euo", "pipefail", "-c"] if recipe.language == "sh" else [sys.executable, "-c"]
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        [*command, recipe.code],
        env=environment({"PATH": path, "ASHORE_CATALOG": str(folder / "standin.toml")}),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_page_has_a_recipe_for_each_way() -> None:
    assert len(RECIPES) == PAGE.read_text("utf-8").count("<!-- recipe -->")
    assert {recipe.language for recipe in RECIPES} == {"sh", "python", "sql"}
    assert len(STATEMENTS) == PAGE.read_text("utf-8").count("<!-- athena -->") == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe", RECIPES, ids=[f"{n}-{r.language}" for n, r in enumerate(RECIPES)]
)
def test_a_recipe_prints_what_the_page_says(recipe: Recipe, landing: Path) -> None:
    needed = "jq" if re.search(r"\bjq\b", recipe.code) else None
    if needed and not shutil.which(needed):
        go_without("jq is not installed", os.environ)
    printed = run(recipe, landing)
    assert printed == recipe.printed


@pytest.mark.parametrize("statement", STATEMENTS)
def test_what_is_for_athena_is_sql_of_athena(statement: str) -> None:
    (parsed,) = sqlglot.parse(statement, dialect="athena")
    assert parsed is not None
    assert not isinstance(parsed, sqlglot.exp.Command), "sqlglot only passed it through"


def test_what_is_not_sql_of_athena_would_be_noticed() -> None:
    with pytest.raises(errors.ParseError):
        sqlglot.parse(STATEMENTS[0].replace("(body string)", "(body string"), dialect="athena")
