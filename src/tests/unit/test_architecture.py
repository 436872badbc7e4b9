import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "ashore"
ROOT = PACKAGE.parents[1]
MODULES = sorted(path.stem for path in PACKAGE.glob("[a-z]*.py"))
PURE = [
    *("agenda", "answers", "catalog", "catalog_checks", "catalog_file", "cost", "dates"),
    *("columns", "decoding", "errors", "expectations", "governor", "ledger", "naming", "planning"),
    *("progress", "retrying", "sets", "touched", "units", "urls", "views"),
]
EDGES = {"requests", "boto3", "botocore", "urllib3"}


@functools.cache
def imported(module: str) -> frozenset[str]:
    """The names of all modules that a module's source imports anywhere."""
    names = set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "ashore":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.removeprefix("ashore.").split(".")[0])
    return frozenset(names)


def reached(module: str, seen: set[str] | None = None) -> set[str]:
    """All modules that are imported by a module, or by those that it imports."""
    seen = set() if seen is None else seen
    for name in imported(module) - seen:
        seen.add(name)
        if name in MODULES:
            reached(name, seen)
    return seen


@pytest.mark.parametrize("module", PURE)
def test_what_is_pure_reaches_neither_the_network_nor_the_store(module: str) -> None:
    assert not reached(module) & EDGES


@pytest.mark.parametrize("module", [m for m in MODULES if m not in {"cli", "__main__"}])
def test_nothing_below_it_knows_the_command_line(module: str) -> None:
    assert "cli" not in imported(module)


def test_imports_never_run_in_a_circle() -> None:
    circles = [module for module in MODULES if module in reached(module)]
    assert circles == []


@pytest.mark.slow  # a process
def test_boto3_is_not_imported_where_there_is_no_s3(tmp_path: Path) -> None:
    commands = [["--version"], ["catalog", "check"], ["plan"], ["status"]]
    code = (
        "import sys; from ashore.cli import main; "
        f"[main(arguments) for arguments in {commands!r}]; assert 'boto3' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_only_one_module_loads_dask() -> None:
    texts = {module: (PACKAGE / f"{module}.py").read_text("utf-8") for module in MODULES}
    assert [m for m, text in texts.items() if '"distributed"' in text] == ["cluster"]
    assert [m for m in MODULES if imported(m) & {"dask", "distributed"}] == []


def test_what_a_worker_runs_needs_no_dask() -> None:
    assert not reached("crew") & {"cluster", "workforce"}


def test_the_plan_of_the_house_names_every_module() -> None:
    plan = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    unnamed = [m for m in MODULES if f"`{m}`" not in plan and not m.startswith("standin_")]
    assert unnamed == []
