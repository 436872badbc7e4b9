"""The workflows call what is there, with no more rights than they need, and nothing that moves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[3]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))
FILES = [*WORKFLOWS, *sorted(GITHUB.glob("actions/*/action.yml"))]
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v[0-9]+\.[0-9]+\.[0-9]+")
OURS = "$/"
"""Begins what lies in this repository, at the commit that is running:
https://github.blog/changelog/2026-07-30-reference-same-repository-actions-with-self-repository-syntax/"""
MADE = re.compile(
    r"(?:digest=\$\()?make (?:--silent )?([a-z-]+)((?: [A-Z]+=(?:\"[^\"]*\"|\S*))*)\)?"
)
SCRIPT = re.compile(r"(?:sh|python3) (scripts/\w+\.(?:sh|py))\b.*")
OTHERWISE = {
    ".venv/bin/pre-commit run --all-files --show-diff-on-failure",
    'echo "digest=$digest" >>"$GITHUB_OUTPUT"',
    'echo "::notice::Nothing is planned for a fork, which gets no token that AWS would take"',
}
"""What is neither a target of make nor a script, and cannot well be one."""
GUARDED = {"on-push.dev", "on-push.prod"}
"""What writes to AWS enters one of these, one at a time."""
WRITING = {"deliver.infrastructure", "deliver.image", "deliver.release", "on-push.prod"}


@cache
def read(path: Path) -> dict[str, Any]:
    return dict(YAML(typ="safe").load(path.read_text("utf-8")))


def all_jobs() -> dict[str, dict[str, Any]]:
    return {
        f"{path.stem}.{name}": job for path in WORKFLOWS for name, job in read(path)["jobs"].items()
    }


JOBS = all_jobs()


def all_steps() -> Iterator[dict[str, Any]]:
    for job in JOBS.values():
        yield from job.get("steps", [])
    for path in set(FILES) - set(WORKFLOWS):
        yield from read(path)["runs"]["steps"]


def commands() -> list[str]:
    lines = [line for step in all_steps() for line in step.get("run", "").splitlines()]
    return sorted(set(lines))


def uses() -> list[str]:
    found = [re.findall(r"(?m)^\s*(?:- )?uses: (.+)$", path.read_text("utf-8")) for path in FILES]
    return sorted({each for many in found for each in many})


def makefile() -> str:
    return (ROOT / "Makefile").read_text("utf-8")


def holding(right: str) -> set[str]:
    return {name for name, job in JOBS.items() if job.get("permissions", {}).get(right) == "write"}


@pytest.mark.parametrize("used", [each for each in uses() if not each.startswith(OURS)])
def test_what_others_wrote_is_pinned_to_a_commit_and_says_its_version(used: str) -> None:
    assert PINNED.fullmatch(used)


@pytest.mark.parametrize("used", [each for each in uses() if each.startswith(OURS)])
def test_what_we_wrote_is_there(used: str) -> None:
    path = ROOT / used.removeprefix(OURS)
    assert path.is_file() or (path / "action.yml").is_file()


def test_an_action_is_used_in_one_version_only() -> None:
    names = [each.split("@")[0] for each in uses()]
    assert sorted(set(names)) == names


@pytest.mark.parametrize("command", commands())
def test_a_step_calls_a_target_or_a_script_that_is_there(command: str) -> None:
    if made := MADE.fullmatch(command):
        variables = re.findall(r"([A-Z]+)=", re.sub(r'"[^"]*"', "", made[2]))
        assert re.search(rf"(?m)^{made[1]}:", makefile())
        assert all(re.search(rf"(?m)^{name} =", makefile()) for name in variables)
    elif script := SCRIPT.fullmatch(command):
        assert (ROOT / script[1]).is_file()
    else:
        assert command in OTHERWISE


def test_every_exception_is_needed() -> None:
    assert set(commands()) >= OTHERWISE


def test_nothing_from_outside_is_pasted_into_a_command() -> None:
    assert [command for command in commands() if "${{" in command] == []


@pytest.mark.parametrize("name", [name for name, job in JOBS.items() if "uses" not in job])
def test_every_job_ends_in_time(name: str) -> None:
    assert 0 < JOBS[name]["timeout-minutes"] <= 60


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_no_rights_but_those_of_its_jobs(path: Path) -> None:
    assert read(path)["permissions"] == {}


def test_only_who_acts_in_aws_may_ask_for_a_token() -> None:
    assert holding("id-token") == WRITING | {"on-pull-request.plan", "on-push.dev"}


def test_only_who_comments_may_write_to_a_pull_request_and_nobody_elsewhere() -> None:
    rights = {right for job in JOBS.values() for right in job.get("permissions", {})}
    assert holding("pull-requests") == {"on-pull-request.comment"}
    assert holding("contents") == set()
    assert rights <= {"contents", "id-token", "pull-requests"}


def test_no_secret_is_needed() -> None:
    assert [path.name for path in FILES if "secrets." in path.read_text("utf-8")] == []


def test_no_token_is_left_in_the_checkout() -> None:
    checkouts = [step for step in all_steps() if "actions/checkout@" in step.get("uses", "")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("name", sorted(WRITING))
def test_what_writes_runs_in_an_environment_and_takes_nothing_from_a_cache(name: str) -> None:
    prepared = [step for step in JOBS[name]["steps"] if "prepare" in step.get("uses", "")]
    assert JOBS[name]["environment"] in ("prod", "${{ inputs.environment }}")
    assert [step["with"]["cached"] for step in prepared] == ["false"]


@pytest.mark.parametrize("name", sorted(GUARDED))
def test_what_writes_waits_for_its_turn_and_is_never_cancelled(name: str) -> None:
    environment = name.split(".")[1]
    assert JOBS[name]["concurrency"] == {
        "group": f"deliver-{environment}",
        "cancel-in-progress": False,
    }


def test_a_newer_commit_of_a_pull_request_ends_the_checks_of_the_older() -> None:
    concurrency = read(GITHUB / "workflows" / "on-pull-request.yml")["concurrency"]
    assert "pull_request.number" in concurrency["group"]
    assert concurrency["cancel-in-progress"] is True


def test_what_is_asked_of_an_environment_is_what_the_script_tells() -> None:
    asked = {
        name
        for path in WORKFLOWS
        for name in re.findall(
            r"steps\.(?:dev|prod|environment)\.outputs\.(\w+)", path.read_text("utf-8")
        )
    }
    script = (ROOT / "scripts" / "environments.py").read_text("utf-8")
    assert {"there", "plan_role", "deploy_role", "region"} == asked
    assert [name for name in asked if f'"{name}": ' not in script] == []


def test_prod_gets_the_very_image_that_was_released_to_dev() -> None:
    assert JOBS["on-push.prod"]["env"]["DIGEST"] == "${{ needs.dev.outputs.digest }}"
    assert JOBS["deliver.release"]["needs"] == ["infrastructure", "image"]


def test_only_the_plan_of_a_branch_of_this_repository_asks_aws() -> None:
    ours = "github.event.pull_request.head.repo.full_name == github.repository"
    assert JOBS["on-pull-request.plan"]["if"] == ours
    assert JOBS["on-pull-request.without-a-plan"]["if"] == ours.replace("==", "!=")


def test_terraform_is_the_one_of_tool_versions() -> None:
    versions = dict(
        line.split() for line in (ROOT / ".tool-versions").read_text("utf-8").splitlines()
    )
    given = [step["with"]["terraform_version"] for step in all_steps() if "hashicorp" in str(step)]
    assert given == [versions["terraform"]]


def test_every_hook_calls_a_checker_that_is_there() -> None:
    hooks = read(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    called = {hook["entry"].removeprefix("make lint CHECKS=") for hook in hooks}
    script = (ROOT / "scripts" / "lint.sh").read_text("utf-8")
    known = set(re.findall(r"(?m)^    ([a-z]+)\)", script))
    assert called == known - {"audit"}  # which asks the network
