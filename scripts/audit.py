"""Ask a service whether any package of the environment has a known vulnerability: `make lint`.

The packages are those of `poetry.lock`, which the environment is kept in step with. pip-audit asks
the OSV database (https://osv.dev); PIP_AUDIT_OSV_URL names another service that answers like it.

A vulnerability is a failure. Where no service can be asked, which is no fault of the change that is
checked, one line says so and nothing fails, also in CI.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

TOOL = "pip-audit"
ACCEPTED: dict[str, str] = {}
"""Vulnerabilities that are known and do not concern ashore, each with the reason why not."""
SECONDS = 120.0
SILENCE = 5
"""Seconds that the service may say nothing."""
NO_SERVICE = re.compile(
    r"Could not connect|ConnectionError|ConnectTimeout|ReadTimeout|ServiceError|HTTPError|"
    r"ProxyError|SSLError|JSONDecodeError"
)


@dataclass(frozen=True, slots=True)
class Ran:
    """What the tool said, unless it was stopped."""

    out: str
    err: str
    stopped: bool = False


def main() -> int:
    """Audit, and return 0 unless something was found or the tool failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=SECONDS, help="after which it is stopped")
    seconds = parser.parse_args().seconds
    if not shutil.which(TOOL):
        print(f"skipped: {TOOL} is not installed")
        return int(os.environ.get("CI") == "true")
    return judge(run(seconds), seconds)


def run(seconds: float) -> Ran:
    """Run the tool over the environment that it is installed in."""
    command = [TOOL, "--local", "--skip-editable", "--vulnerability-service", "osv"]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", str(SILENCE)]
    command += [argument for known in ACCEPTED for argument in ("--ignore-vuln", known)]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            return Ran(*process.communicate(timeout=seconds))
        except subprocess.TimeoutExpired:
            # With all that it started, which would keep its output open.
            os.killpg(process.pid, signal.SIGKILL)
            return Ran(*process.communicate(), stopped=True)


def judge(ran: Ran, seconds: float) -> int:
    """Tell what was found, in a line for each vulnerability."""
    if ran.stopped:
        print(f"skipped: audit: the vulnerability service did not answer within {seconds:.0f} s")
        return 0
    try:
        packages: list[dict[str, Any]] = json.loads(ran.out)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return explain(ran.err)
    asked = [package for package in packages if "version" in package]
    found = [(package, each) for package in asked for each in package["vulns"]]
    for package, each in found:
        print(f"  {package['name']} {package['version']}: {line(each)}")
    print(f"  {len(asked)} packages, {len(found)} known vulnerabilities")
    return 1 if found or not asked else 0


def line(vulnerability: dict[str, Any]) -> str:
    """One vulnerability on one line."""
    names = ", ".join([vulnerability["id"], *vulnerability.get("aliases", [])])
    mend = ", ".join(vulnerability.get("fix_versions", [])) or "no version yet"
    about = " ".join(str(vulnerability.get("description", "")).split())[:200]
    return f"{names} (mended in {mend}): {about}"


def explain(err: str) -> int:
    """Tell why there is no result: a service that cannot be asked, or a tool that failed."""
    lines = err.strip().splitlines() or ["it said nothing"]
    # A traceback shows lines of code as well; what happened stands before it or in its last line.
    before, _, _ = err.partition("Traceback")
    if sign := NO_SERVICE.search(lines[-1]) or NO_SERVICE.search(before):
        print(f"skipped: audit: no vulnerability service can be asked ({sign[0]})")
        return 0
    print(f"  {TOOL} failed:", *lines[-20:], sep="\n  ")
    return 1


if __name__ == "__main__":
    sys.exit(main())
