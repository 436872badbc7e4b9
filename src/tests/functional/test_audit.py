"""`make lint` audits the dependencies where a service answers, and says so where none does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[3] / "scripts"
CLOSED = "http://127.0.0.1:9/v1/query"
FOUND = {
    "vulns": [
        {
            "id": "PYSEC-2026-1",
            "aliases": ["CVE-2026-12345"],
            "summary": "Sends keys\nto everybody.",
            "affected": [
                {
                    "package": {"name": "requests", "ecosystem": "PyPI"},
                    "ranges": [
                        {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.1"}]}
                    ],
                }
            ],
        }
    ]
}
Answer = Callable[[str], tuple[int, bytes]]


@pytest.fixture
def service() -> Iterator[Callable[[Answer], str]]:
    """A vulnerability service on loopback: give it its answers, get its URL."""
    servers: list[ThreadingHTTPServer] = []

    def serve(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, body = answer(asked["package"]["name"])
                self.send_response_only(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/v1/query"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def tool(tmp_path: Path) -> Callable[[str], str]:
    """A tool of our own in place of pip-audit: give it its script, get the PATH."""

    def make(script: str) -> str:
        (tmp_path / "pip-audit").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "pip-audit").chmod(0o755)
        return f"{tmp_path}:/usr/bin:/bin"

    return make


def audit(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the audit in CI's way: a skip that fails there would be seen."""
    paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
    return subprocess.run(
        [sys.executable, SCRIPTS / "audit.py", *options],
        env={**os.environ, "CI": "true", "PATH": os.pathsep.join(paths), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_an_environment_without_known_vulnerabilities_passes(
    service: Callable[[Answer], str],
) -> None:
    asked: list[str] = []

    def answer(name: str) -> tuple[int, bytes]:
        asked.append(name)
        return 200, b"{}"

    ran = audit(PIP_AUDIT_OSV_URL=service(answer))
    assert ran.returncode == 0, ran
    assert f"{len(asked)} packages, 0 known vulnerabilities" in ran.stdout
    assert {"boto3", "requests", "urllib3", "pytest"} <= set(asked)
    assert "ashore" not in asked


def test_a_known_vulnerability_fails_and_is_told_on_a_line(
    service: Callable[[Answer], str],
) -> None:
    def answer(name: str) -> tuple[int, bytes]:
        return 200, json.dumps(FOUND if name == "requests" else {}).encode()

    ran = audit(PIP_AUDIT_OSV_URL=service(answer))
    assert ran.returncode == 1, ran
    (line,) = (each for each in ran.stdout.splitlines() if "PYSEC" in each)
    assert line.startswith("  requests 2.")
    assert line.endswith(
        ": PYSEC-2026-1, CVE-2026-12345 (mended in 99.1): Sends keys to everybody."
    )


@pytest.mark.parametrize("answer", [(500, b""), (403, b"no"), (200, b"<html>Please log in</html>")])
def test_a_service_that_does_not_answer_as_one_is_a_skip(
    service: Callable[[Answer], str], answer: tuple[int, bytes]
) -> None:
    ran = audit(PIP_AUDIT_OSV_URL=service(lambda _: answer))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("skipped: audit: no vulnerability service can be asked (")
    assert len(ran.stdout.splitlines()) == 1


def test_a_service_that_cannot_be_reached_is_a_skip() -> None:
    ran = audit(PIP_AUDIT_OSV_URL=CLOSED)
    assert ran.returncode == 0, ran
    told = "skipped: audit: no vulnerability service can be asked (ConnectionError)\n"
    assert ran.stdout == told


def test_a_service_that_is_never_done_is_a_skip(tool: Callable[[str], str]) -> None:
    ran = audit("--seconds", "0.5", PATH=tool("sleep 100 & wait"))
    assert ran.returncode == 0, ran
    assert ran.stdout.startswith("skipped: audit: the vulnerability service did not answer within")


@pytest.mark.parametrize(
    "script",
    [
        "echo 'usage: pip-audit' >&2; exit 2",
        "printf 'Traceback\\n  File: ConnectionError\\nKeyError: x\\n' >&2; exit 1",
        "echo '{\"dependencies\": []}'",
        "exit 1",
    ],
)
def test_a_tool_that_fails_is_a_failure(tool: Callable[[str], str], script: str) -> None:
    ran = audit(PATH=tool(script))
    assert ran.returncode == 1, ran


def test_without_the_tool_ci_fails_and_others_are_told(tmp_path: Path) -> None:
    assert audit(PATH=str(tmp_path)).returncode == 1
    ran = audit(PATH=str(tmp_path), CI="")
    assert (ran.returncode, ran.stdout) == (0, "skipped: pip-audit is not installed\n")


def test_lint_runs_the_audit_and_takes_its_word() -> None:
    environment = {**os.environ, "CI": "true", "PIP_AUDIT_OSV_URL": CLOSED}
    lint = ["sh", str(SCRIPTS / "lint.sh"), "audit"]
    ran = subprocess.run(lint, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran
    assert "skipped: audit: no vulnerability service can be asked" in ran.stdout
