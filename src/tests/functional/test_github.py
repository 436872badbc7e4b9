"""A workflow tells its plans in one comment, and knows whether its commit is the newest."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "github.py"
PLAN = "### Terraform: dev\n\nPlan: 1 to add.\n\n<details><summary>All of it</summary>\n\n{}\n"
OURS = "github-actions[bot]"
REPOSITORY = "/repos/owner/name"


class GitHub:
    """As much of GitHub as the script speaks to, on loopback."""

    def __init__(self) -> None:
        self.comments: list[dict[str, Any]] = []
        self.refused = 0
        """The status with which everything is refused."""
        self.newest = "a" * 40
        self.asked: list[str] = []
        github = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.reply()

            def do_POST(self) -> None:
                self.reply()

            def do_PATCH(self) -> None:
                self.reply()

            def reply(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(length) or b"{}")
                assert self.headers["Authorization"] == "Bearer token"
                answer = json.dumps(github.answer(self.command, self.path, body)).encode()
                self.send_response_only(github.refused or 200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, method: str, path: str, body: dict[str, Any]) -> object:
        self.asked.append(f"{method} {path}")
        path, _, query = path.removeprefix(REPOSITORY).partition("?")
        if method == "GET" and path == "/issues/7/comments":
            start = 100 * (int(query.rpartition("page=")[2]) - 1)
            return self.comments[start : start + 100]
        if method == "POST" and path == "/issues/7/comments":
            self.write(OURS, body["body"])
            return {"html_url": "https://github.example/new"}
        if method == "PATCH":
            self.comments[int(path.removeprefix("/issues/comments/"))]["body"] = body["body"]
            return {"html_url": "https://github.example/updated"}
        assert (method, path) == ("GET", "/git/ref/heads/main")
        return {"object": {"sha": self.newest}}

    def write(self, author: str, text: str) -> None:
        number = len(self.comments)
        self.comments.append({"id": number, "user": {"login": author}, "body": text})

    def run(self, *words: str, ref: str = "refs/pull/7/merge") -> subprocess.CompletedProcess[str]:
        variables = {
            "GITHUB_API_URL": self.url,
            "GITHUB_REF": ref,
            "GITHUB_REPOSITORY": "owner/name",
            "GITHUB_RUN_ID": "99",
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_SHA": "a" * 40,
            "GITHUB_TOKEN": "token",
        }
        command = [sys.executable, str(SCRIPT), *words]
        return subprocess.run(
            command, env=variables, capture_output=True, text=True, check=False, timeout=60
        )


@pytest.fixture
def github() -> Iterator[GitHub]:
    github = GitHub()
    thread = threading.Thread(target=github.server.serve_forever, args=(0.01,))
    thread.start()
    yield github
    github.server.shutdown()
    github.server.server_close()
    thread.join()


@pytest.fixture
def plans(tmp_path: Path) -> Path:
    (tmp_path / "plan-dev.md").write_text(PLAN.format("the first"), encoding="utf-8")
    return tmp_path


def test_plans_are_told_in_one_comment_that_is_updated(github: GitHub, plans: Path) -> None:
    assert github.run("comment", str(plans)).returncode == 0
    (plans / "plan-dev.md").write_text(PLAN.format("the second"), encoding="utf-8")
    (plans / "plan-prod.md").write_text(PLAN.replace("dev", "prod"), encoding="utf-8")
    assert github.run("comment", str(plans)).returncode == 0
    (comment,) = github.comments
    assert "the second" in comment["body"]
    assert "the first" not in comment["body"]
    assert comment["body"].index("Terraform: dev") < comment["body"].index("Terraform: prod")
    assert "https://github.example/owner/name/actions/runs/99" in comment["body"]


def test_the_comment_is_found_behind_a_hundred_others_and_no_other_is_touched(
    github: GitHub, plans: Path
) -> None:
    for _ in range(120):
        github.write("somebody", "a remark")
    assert github.run("comment", str(plans)).returncode == 0
    github.write("somebody", github.comments[-1]["body"])
    before = [dict(comment) for comment in github.comments]
    (plans / "plan-dev.md").write_text("another", encoding="utf-8")
    assert github.run("comment", str(plans)).returncode == 0
    changed = [i for i, (a, b) in enumerate(zip(before, github.comments, strict=True)) if a != b]
    assert changed == [120]


def test_a_plan_that_failed_is_told_too(github: GitHub, tmp_path: Path) -> None:
    assert github.run("comment", str(tmp_path), "--outcome", "failure").returncode == 0
    assert "Planning failed" in github.comments[0]["body"]


def test_where_nothing_is_planned_nothing_is_told(github: GitHub, tmp_path: Path) -> None:
    assert github.run("comment", str(tmp_path / "absent")).returncode == 0
    assert github.comments == []


def test_of_plans_that_are_too_long_the_longest_is_told_in_brief(
    github: GitHub, plans: Path
) -> None:
    (plans / "plan-prod.md").write_text(PLAN.format("x" * 65_500), encoding="utf-8")
    assert github.run("comment", str(plans)).returncode == 0
    body = github.comments[0]["body"]
    assert len(body) < 65_536
    assert body.count("Plan: 1 to add.") == 2
    assert "the first" in body
    assert "see the log" in body


@pytest.mark.parametrize(("newest", "told"), [("a" * 40, "true"), ("b" * 40, "false")])
def test_it_is_known_whether_a_commit_is_the_newest(github: GitHub, newest: str, told: str) -> None:
    github.newest = newest
    done = github.run("newest", ref="refs/heads/main")
    assert (done.returncode, done.stdout) == (0, f"newest={told}\n")
    assert ("::notice::" in done.stderr) == (told == "false")


def test_what_github_refuses_is_told_in_one_line(github: GitHub, plans: Path) -> None:
    github.refused = 403
    done = github.run("comment", str(plans))
    assert done.returncode == 1
    assert done.stderr.startswith("github: GET issues/7/comments")
    assert done.stderr.count("\n") == 1
    assert "token" not in done.stderr


def test_outside_a_pull_request_nothing_is_commented(github: GitHub, plans: Path) -> None:
    done = github.run("comment", str(plans), ref="refs/heads/main")
    assert (done.returncode, github.asked) == (2, [])
    assert "no run for a pull request" in done.stderr


def test_outside_of_github_one_line_says_so() -> None:
    command = [sys.executable, str(SCRIPT), "newest"]
    done = subprocess.run(command, env={}, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "GITHUB_REF is not set" in done.stderr
