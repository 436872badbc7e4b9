"""The image, built and run: in S3 and in a folder, as in AWS and as on a developer's machine."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from local_s3 import S3Server
from tests.image.containers import CHECKOUT, Engine, Image, script
from tests.support.api import Call, Reply, ScriptedApi, json_reply
from tests.support.catalogs import write_catalog
from tests.support.process import ashore

pytestmark = [pytest.mark.image, pytest.mark.slow, pytest.mark.timeout(900)]

PUBLISHED = re.compile(r"^FROM (\S+) AS published$", re.MULTILINE)
BASE = (
    os.environ.get("BASE_IMAGE") or PUBLISHED.findall((CHECKOUT / "src/Dockerfile").read_text())[0]
)
USER = "10001"
SOMEBODY = 12345
ITEMS = [{"id": number} for number in range(1, 6)]
CATALOG = """
default = ["shop"]

[source.shop]
base_url = "$url"
workers  = 2

[[source.shop.endpoint]]
name = "items"
path = "items"

[[source.shop.endpoint]]
name     = "item"
path     = "item/{id}"
for_each = { endpoint = "items", select = "[].id", as = "id" }
"""


@pytest.fixture
def shop(api: ScriptedApi, tmp_path: Path) -> Path:
    """A catalog with one small source; everybody may read the file."""
    api.on("/items", json_reply(ITEMS))
    api.answer(lambda call: json_reply({"path": call.path}))
    catalog = write_catalog(tmp_path / "shop.toml", CATALOG, url=api.url)
    catalog.chmod(0o644)
    return catalog


@pytest.fixture
def task(shop: Path, s3: S3Server, s3_location: str) -> dict[str, str]:
    """What the task in AWS finds in its environment; the keys are those of the local server."""
    return {
        **s3.environment(),
        "ASHORE_TO": s3_location,
        "ASHORE_CATALOG": "/shop.toml",
        "ASHORE_DEADLINE": "10m",
        "ASHORE_METRICS_NAMESPACE": "ashore-dev",
    }


def events(text: str) -> list[dict[str, Any]]:
    """Return the lines of a log."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def git(*words: str) -> str:
    return subprocess.run(
        ["git", "-C", CHECKOUT, *words], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_it_says_what_it_is(image: Image) -> None:
    known = image.engine.inspect(image.name)["Config"]
    labels = known["Labels"]
    commit, seconds = git("log", "-1", "--format=%H %ct").split()
    assert labels["org.opencontainers.image.revision"].removesuffix("-changed") == commit
    created = dt.datetime.fromisoformat(labels["org.opencontainers.image.created"])
    assert created.timestamp() == int(seconds)
    assert labels["org.opencontainers.image.licenses"] == "MIT"
    assert image.run("--version").stdout.split() == [
        "ashore",
        labels["org.opencontainers.image.version"],
    ]
    assert "@" not in labels["org.opencontainers.image.source"]
    assert known["User"] == f"{USER}:{USER}"
    assert known["Entrypoint"] == ["ashore"]
    assert list(known["Volumes"]) == ["/tmp"]


def test_nobody_can_write_but_in_tmp(image: Image) -> None:
    said = image.shell(
        "id -u; id -g; for place in / /opt/ashore /home/ashore /usr /etc /var; do "
        "touch $place/x 2>/dev/null && echo $place; done; touch /tmp/x && stat -c %a /tmp; "
        "grep -E '^(CapEff|CapPrm|CapBnd|NoNewPrivs)' /proc/self/status"
    )
    nothing = "0" * 16
    assert said.split() == [
        *(USER, USER, "1777"),
        *("CapPrm:", nothing, "CapEff:", nothing, "CapBnd:", nothing),
        *("NoNewPrivs:", "1"),
    ]


def test_without_read_only_root_nothing_is_its_own_either(image: Image) -> None:
    assert image.shell("find /opt/ashore /home/ashore -user 10001 -o -perm -o=w ! -type l") == ""


def test_there_is_nothing_to_build_or_to_install_with(image: Image) -> None:
    tools = "pip pip3 poetry uv pipx gcc cc g++ make ld git curl wget"
    modules = "pip ensurepip setuptools poetry pytest moto"
    found = image.shell(
        f"for tool in {tools}; do command -v $tool; done; "
        f"for module in {modules}; do for python in /opt/ashore/bin/python3 python3; do "
        '$python -c "import $module" 2>/dev/null && echo $python $module; done; done; true'
    )
    assert found == ""


def test_there_is_nothing_left_of_building_it(image: Image) -> None:
    assert (
        image.shell(
            "ls -d /build /etc/pip.conf /opt/ashore/bin/pip* 2>/dev/null; "
            "find /var/cache/apt /var/lib/apt/lists -type f -size +0 ! -name lock 2>/dev/null; "
            "find / -xdev \\( -name .cache -o -name '*.whl' -o -name requirements.txt "
            "-o -name pip.conf \\) 2>/dev/null; true"
        )
        == ""
    )


def test_all_that_is_loaded_is_compiled(image: Image, shop: Path, task: dict[str, str]) -> None:
    ran = image.mounting(shop, "/shop.toml").run("extract", env={**task, "PYTHONVERBOSE": "1"})
    assert ran.returncode == 0
    assert ran.stderr.count(" matches /") > 200
    assert not re.findall("(?m)^# code object from '?/.*[.]py'?$", ran.stderr)


def test_a_day_lands_in_s3(
    image: Image, shop: Path, task: dict[str, str], s3_location: str, api: ScriptedApi
) -> None:
    landed = image.mounting(shop, "/shop.toml").run("extract", env=task)
    assert landed.returncode == 0, landed.stderr
    assert [line["outcome"] for line in events(landed.stderr) if "outcome" in line] == ["complete"]
    assert any("_aws" in line for line in events(landed.stderr)), "no metric was told"
    verified = ashore("verify", "shop", "--to", s3_location, "--json")
    assert verified.status == 0, verified.err
    (day,) = json.loads(verified.out)["days"]
    assert day["objects"] == 1 + len(ITEMS)

    asked = len(api.calls)
    again = image.mounting(shop, "/shop.toml").run("extract", env=task)
    assert again.returncode == 0
    assert len(api.calls) == asked


def test_a_missing_bucket_is_one_line(image: Image, shop: Path, task: dict[str, str]) -> None:
    there = {**task, "ASHORE_TO": "s3://no-such-bucket-here"}
    failed = image.mounting(shop, "/shop.toml").run("extract", env=there)
    assert failed.returncode == 5
    assert "Traceback" not in failed.stderr


def test_sigterm_ends_it_in_order_and_another_container_goes_on(
    image: Image,
    shop: Path,
    task: dict[str, str],
    s3_location: str,
    api: ScriptedApi,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def slow_at_the_third(call: Call) -> Reply:
        # Longer than anybody waits: only the signal can end this.
        drip = 1.0 if call.path == "/item/3" else 0.0
        return Reply(body=b'{"item": "' + b"x" * 600 + b'"}', drip=drip)

    api.answer(slow_at_the_third)
    with image.mounting(shop, "/shop.toml").started("extract", env=task) as name:
        until(lambda: "/item/3" in api.paths() and "/item/5" in api.paths())
        state = image.engine.inspect(name)["State"]
        assert who_is(state["Pid"]) == {"Uid": USER, "Gid": USER, "CapEff": "0" * 16, "NSpid": "1"}
        began = time.monotonic()
        image.engine("stop", "-t", "30", name)
        seconds = time.monotonic() - began
        state = image.engine.inspect(name)["State"]
        said = events(image.engine("logs", name).stderr)
    with capsys.disabled():
        print(f"\nimage: ended {seconds:.2f} s after SIGTERM with {state['ExitCode']}")
    assert state["ExitCode"] == 143
    assert seconds < 20
    assert [line["exit_status"] for line in said if line.get("event") == "run_ended"] == [143]

    api.answer(lambda call: json_reply({"path": call.path}))
    asked = len(api.calls)
    resumed = image.mounting(shop, "/shop.toml").run("extract", env=task)
    assert resumed.returncode == 0, resumed.stderr
    assert api.paths()[asked:] == ["/item/3"]
    assert ashore("verify", "--to", s3_location).status == 0


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def who_is(pid: int) -> dict[str, str]:
    """What the kernel says of a process: the last of each of these."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = {
        name: values.split()[-1] for name, _, values in (line.partition(":") for line in lines)
    }
    return {name: found[name] for name in ("Uid", "Gid", "CapEff", "NSpid")}


class Caller:
    """Whoever runs `make docker-run`: has files of AWS that nobody else may read."""

    def __init__(self, image: Image, folder: Path, keys: Mapping[str, str]) -> None:
        self.image = image.name
        self.home = folder / "home"
        self.folder = folder / "countries"
        self.uid = os.getuid() or SOMEBODY
        self.path = os.environ["PATH"]
        aws = self.home / ".aws"
        aws.mkdir(parents=True, mode=0o700)
        secret = (
            f"aws_access_key_id = {keys['AWS_ACCESS_KEY_ID']}\n"
            f"aws_secret_access_key = {keys['AWS_SECRET_ACCESS_KEY']}\n"
        )
        self._write(aws / "credentials", f"[dev]\n{secret}[other]\n{secret.replace('=', '= x')}")
        self._write(aws / "config", f"[profile dev]\nregion = {keys['AWS_REGION']}\n")
        if self.uid == SOMEBODY:  # root would read anything: let somebody else be the caller
            self._be_somebody(folder / "bin", aws)

    def environment(self, endpoint: str, **more: str) -> dict[str, str | None]:
        """Return the variables of the caller: an endpoint, but no keys."""
        return {
            **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")),
            **dict.fromkeys(("AWS_DEFAULT_REGION", "AWS_CONFIG_FILE", "PROFILE")),
            "AWS_ENDPOINT_URL": endpoint,
            "HOME": str(self.home),
            "PATH": self.path,
            "CONTAINER_OPTIONS": "--network=host",
            "IMAGE": self.image,
            **more,
        }

    def _write(self, file: Path, text: str) -> None:
        file.write_text(text)
        file.chmod(0o600)

    def _be_somebody(self, programs: Path, aws: Path) -> None:
        self.folder.mkdir()
        programs.mkdir()
        (programs / "id").write_text(f"#!/bin/sh\necho {SOMEBODY}\n")
        (programs / "id").chmod(0o755)
        self.path = f"{programs}{os.pathsep}{self.path}"
        for path in (self.folder, self.home, aws, *aws.iterdir()):
            shutil.chown(path, SOMEBODY, SOMEBODY)


def test_docker_run_lands_in_a_folder_that_is_the_callers(
    image: Image, shop: Path, task: dict[str, str], tmp_path: Path
) -> None:
    caller = Caller(image, tmp_path, task)
    environment = caller.environment("", TO=str(caller.folder), ASHORE_CATALOG=str(shop))
    ran = script("run", "--json", env=environment)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["exit_status"] == 0
    landed = list(caller.folder.rglob("*"))
    assert {path.stat().st_uid for path in landed} == {caller.uid}
    assert len([path for path in landed if path.suffix == ".json" and "raw" in path.parts]) == 6
    assert ashore("verify", "--to", caller.folder).status == 0


def test_docker_run_reads_a_profile_that_only_the_caller_may_read(
    image: Image, shop: Path, task: dict[str, str], tmp_path: Path
) -> None:
    caller = Caller(image, tmp_path, task)
    environment = caller.environment(
        task["AWS_ENDPOINT_URL"], TO=task["ASHORE_TO"], ASHORE_CATALOG=str(shop)
    )
    ran = script("run", env=environment)
    assert ran.returncode == 0, ran.stderr
    assert ashore("verify", "--to", task["ASHORE_TO"]).status == 0
    wrong = script("run", env={**environment, "PROFILE": "other", "TO": task["ASHORE_TO"] + "/2"})
    assert wrong.returncode == 5, wrong.stderr
    absent = script("run", env={**environment, "PROFILE": "nobody"})
    assert absent.returncode in (2, 5)
    assert "nobody" in absent.stderr


def test_it_is_small_and_starts_at_once(
    image: Image, shop: Path, task: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    whole, base = (image.engine.inspect(name)["Size"] / 1e6 for name in (image.name, BASE))
    there = image.mounting(shop, "/shop.toml")
    first = min(there.until_first_line("extract", env=task) for _ in range(3))
    began = time.monotonic()
    image.run(options=["--entrypoint=/bin/true"])
    empty = time.monotonic() - began
    with capsys.disabled():
        print(
            f"\nimage: {whole:.0f} MB, {whole - base:.0f} MB of them beside the base; "
            f"built in {image.seconds:.1f} s; first line of the log after {first:.2f} s, "
            f"of which the engine takes {empty:.2f} s"
        )
    assert whole - base < 80
    assert first < 10


def test_the_same_commit_is_the_same_image(image: Image) -> None:
    if "podman" not in image.engine("--version").stdout:
        pytest.skip("Docker gives files that are made in a build the time of the build")
    options = {"CONTAINER_OPTIONS": "--network=host --no-cache", "IMAGE": "ashore:again"}
    built = script("build", env=options)
    assert built.returncode == 0, built.stderr
    again, first = (image.engine.inspect(name)["Digest"] for name in ("ashore:again", image.name))
    assert again == first


def test_docker_clean_removes_what_is_ours_and_nothing_else(
    image: Image, engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {image.name}\nCOPY Dockerfile /mine\n")
    engine("build", "--tag", "somebodys:1", str(tmp_path))
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /other\n")
    engine("build", "--tag", "others:1", str(tmp_path))
    before = engine.names()
    try:
        cleaned = script("clean")
        assert cleaned.returncode == 0, cleaned.stderr
        gone = before - engine.names() - {"<none>:<none>"}
        assert gone == {name for name in before if name.startswith("ashore:")}
        assert engine(
            "run", "--rm", "--network=host", "somebodys:1", "--version"
        ).stdout.startswith("ashore ")
    finally:
        engine("rmi", "somebodys:1", "others:1")
    assert script("clean").returncode == 0
    left = engine("images", "--all", "--quiet", "--filter", "label=ashore.made_by").stdout
    assert left == ""
