"""The page on operations is about what is there: alarms, targets, scripts, names, prices."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ashore import cost
from ashore.errors import ExitStatus

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
MODULE = ROOT / "terraform" / "modules" / "environment"
ALARMS = (MODULE / "alarms.tf").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def part(title: str) -> str:
    found = re.search(rf"^### {re.escape(title)}\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/operations.md has no part {title!r}"
    return found[1]


def test_each_alarm_has_a_section_of_its_name() -> None:
    named = set(re.findall(r"'([^']+)' in docs/operations\.md", ALARMS))
    assert len(named) == 5
    for title in named:
        assert part(title).strip()
    makers = r'^resource "aws_cloudwatch_(?:metric_alarm|event_rule)"'
    alarms = re.findall(makers, ALARMS, re.MULTILINE)
    assert ALARMS.count("in docs/operations.md") >= len(alarms)


def test_a_failed_run_is_told_by_each_exit_status() -> None:
    told = {
        int(status)
        for cell in re.findall(r"^\| ([\d, ]+) \|", part("A run failed"), re.MULTILINE)
        for status in cell.split(",")
    }
    assert set(ExitStatus) - {ExitStatus.COMPLETE} <= told


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
    named = set(re.findall(r"(?:^ *|`)make ([a-z][a-z-]+)", PAGE, re.MULTILINE))
    assert {"bootstrap", "tf-apply", "deploy", "run-once", "logs"} <= named
    assert named - targets == set()


def test_every_script_and_file_that_is_named_exists() -> None:
    written = re.compile(r"\b((?:scripts|src|docs|terraform|\.github)/[\w./-]*\.[a-z.]+)\b")
    owners = (
        "terraform.tfvars.json"  # made by whoever follows the page, after the example beside it
    )
    for name in set(written.findall(PAGE)):
        path = ROOT / (f"{name}.example" if name.endswith(owners) else name)
        assert path.exists(), name


@pytest.mark.parametrize("name", ["run_at", "catch_up", "deadline", "memory_mib"])
def test_variables_that_are_told_to_be_changed_exist(name: str) -> None:
    assert name in PAGE
    assert f'variable "{name}"' in (MODULE / "variables.tf").read_text(encoding="utf-8")


def test_the_hours_are_those_of_the_rules() -> None:
    variables = (MODULE / "variables.tf").read_text(encoding="utf-8")
    assert '"cron(0 1 * * ? *)"' in variables
    assert '"cron(0 2,4,8 * * ? *)"' in variables
    assert "| 01:00 |" in PAGE
    assert "| 02:00, 04:00, 08:00 |" in PAGE


def test_prices_are_told_as_of_the_day_on_which_they_were_known() -> None:
    assert f"{cost.REGION} as known on {cost.PRICES_KNOWN_ON}" in " ".join(PAGE.split())
