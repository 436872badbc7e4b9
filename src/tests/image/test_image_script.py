"""What scripts/image.sh refuses, and what it tells the engine: a small program stands for that."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.image.containers import CHECKOUT, script
from tests.support.local_aws import ACCOUNT, REGION, LocalAws

PROGRAMS = ("sh", "git", "sed", "env", "id", "mkdir", "rm", "dirname", "basename", "grep")
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
COPIED = (
    "scripts/image.sh",
    "scripts/registry.py",
    "scripts/account.py",
    "scripts/environments.py",
    "src/ashore/catalog.toml",
    "terraform/environments/dev/main.tf",
    "terraform/environments/prod/main.tf",
)
ENGINE = """#!/bin/sh
# Says what it was told; FAKE_ variables are what it is asked for.
printf '%s\n' "$*" >>"$FAKE_LOG"
case "$*" in
--version) echo "${FAKE_KIND:-podman} version 9" ;;
*Rootless*) echo "${FAKE_ROOTLESS:-false}" ;;
*SecurityOptions*) echo "${FAKE_OPTIONS:-[]}" ;;
info) exit "${FAKE_SILENT:-0}" ;;
'image inspect'*) exit "${FAKE_NO_IMAGE:-0}" ;;
push*) eval "${FAKE_PUSH:-true}" ;;
login*) cat >"$FAKE_LOG.password" ;;
esac
"""


class Stage:
    """A checkout of its own, in which the engine only says what it was told."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.home = folder / "home"
        self.log = folder / "log"
        for name in COPIED:
            file = self.checkout / name
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, file)
        (self.checkout / ".gitignore").write_text("/.venv\n/.poetry\n/dist\n/countries\n")
        self.home.mkdir()
        self.program("engine", ENGINE)
        self.git("init", "--quiet")
        self.commit()

    def program(self, name: str, text: str) -> Path:
        """Write a program; the engine is one."""
        path = self.home.parent / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def git(self, *words: str) -> str:
        settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
        return subprocess.run(
            ["git", "-C", self.checkout, *who, *words],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "All of it")

    def script(self, *words: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
        given: dict[str, str | None] = {
            "CONTAINER_ENGINE": str(self.home.parent / "engine"),
            "FAKE_LOG": str(self.log),
            "HOME": str(self.home),
            **dict.fromkeys(("TO", "PROFILE", "CONTAINER_OPTIONS", "BASE_IMAGE", "IMAGE")),
            **dict.fromkeys(("PLATFORM", "PIP_CERT", "SSL_CERT_FILE", "AWS_ENDPOINT_URL")),
        }
        return script(*words, env={**given, **environment}, checkout=self.checkout)

    def told(self, command: str) -> list[str]:
        """Return the words of the one command of this name that the engine was told."""
        (line,) = [x for x in self.log.read_text().splitlines() if x.split()[0] == command]
        return line.split()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def refused(ended: subprocess.CompletedProcess[str], *words: str) -> None:
    """Check that it was refused in one line with these words, and nothing else was said."""
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1, ended.stderr
    for word in words:
        assert word in ended.stderr


def test_it_explains_itself(stage: Stage) -> None:
    ended = stage.script("--help")
    assert ended.returncode == 0
    assert "CONTAINER_ENGINE" in ended.stdout
    assert "set -eu" not in ended.stdout


@pytest.mark.parametrize("words", [(), ("nonsense",)], ids=["nothing", "nonsense"])
def test_it_asks_what_is_to_be_done(stage: Stage, words: tuple[str, ...]) -> None:
    refused(stage.script(*words), "build, run, push or clean")


@pytest.mark.parametrize("command", ["build", "run", "clean"])
def test_there_is_no_engine(stage: Stage, tmp_path: Path, command: str) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).symlink_to(shutil.which(name) or pytest.fail(f"no {name} here"))
    ended = stage.script(command, CONTAINER_ENGINE=None, PATH=str(programs))
    refused(ended, "no docker and no podman", "install Docker or Podman")


def test_the_engine_that_was_named_is_not_there(stage: Stage) -> None:
    refused(stage.script("build", CONTAINER_ENGINE="nerdctl-of-nobody"), "no nerdctl-of-nobody")


def test_the_engine_does_not_answer(stage: Stage) -> None:
    refused(stage.script("build", FAKE_SILENT="1"), "does not answer", "start it")


def test_it_is_no_checkout(stage: Stage) -> None:
    shutil.rmtree(stage.checkout / ".git")
    refused(stage.script("build", GIT_CEILING_DIRECTORIES=str(stage.home.parent)), "not a git repo")


def test_poetry_is_not_there(stage: Stage) -> None:
    refused(stage.script("build"), "make docker-build")


def test_there_is_no_image_to_run(stage: Stage) -> None:
    refused(stage.script("run", FAKE_NO_IMAGE="1"), "make docker-build")


def test_a_run_lands_in_a_folder_of_the_callers(stage: Stage) -> None:
    (stage.home / ".aws").mkdir()
    assert stage.script("run", "--log-level", "debug").returncode == 0
    told = stage.told("run")
    folder = stage.checkout / "countries"
    assert folder.is_dir()
    commit = stage.git("rev-parse", "HEAD")
    assert told[told.index(f"ashore:{commit}") :] == [
        *(f"ashore:{commit}", "extract", "--to", str(folder)),
        *("--log-level", "debug"),
    ]
    assert f"{folder}:{folder}" in told
    assert f"{stage.home}/.aws:/home/ashore/.aws:ro" in told
    assert "AWS_PROFILE=dev" in told
    assert told[told.index("--user") + 1] == f"{os.getuid()}:{os.getgid()}"
    assert {"--rm", "--read-only", "--cap-drop=all"} < set(told)
    assert "--security-opt=no-new-privileges" in told


def test_a_run_into_s3_mounts_no_folder(stage: Stage) -> None:
    (stage.home / ".aws").mkdir()
    assert stage.script("run", TO="s3://bucket/prefix", PROFILE="other").returncode == 0
    told = stage.told("run")
    assert told[-3:] == ["extract", "--to", "s3://bucket/prefix"]
    assert [word for word in told if word == "--volume"] == ["--volume"]
    assert "AWS_PROFILE=other" in told
    assert not (stage.checkout / "countries").exists()


def test_a_run_into_s3_needs_a_profile_that_is_there(stage: Stage) -> None:
    refused(stage.script("run", TO="s3://bucket"), "~/.aws", '"dev"', "PROFILE=")
    assert stage.script("run", PROFILE="").returncode == 0


def test_keys_of_the_environment_go_along_only_without_a_profile(stage: Stage) -> None:
    (stage.home / ".aws").mkdir()
    given = {
        "AWS_SECRET_ACCESS_KEY": "hush",
        "AWS_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": "/nowhere",
        "REST_COUNTRIES_API_KEY": "hush-as-well",
        "ASHORE_LOG_LEVEL": "debug",
        "ASHORE_TO": "elsewhere",
        "OTHER_API_KEY": "nobodys-business",
    }
    stage.script("run", **given)
    told = stage.told("run")
    assert {"AWS_REGION", "REST_COUNTRIES_API_KEY", "ASHORE_LOG_LEVEL"} < set(told)
    left = {"AWS_SECRET_ACCESS_KEY", "AWS_CONFIG_FILE", "ASHORE_TO", "OTHER_API_KEY"}
    assert not left & set(told)
    stage.log.unlink()
    stage.script("run", **{**given, "PROFILE": ""})
    told = stage.told("run")
    assert "AWS_SECRET_ACCESS_KEY" in told
    assert not [word for word in told if word.startswith("AWS_PROFILE")]
    assert "hush" not in " ".join(told)


def test_a_catalog_of_ones_own_goes_along(stage: Stage) -> None:
    catalog = stage.checkout / "my.toml"
    catalog.write_text('auth = { header = "X-Key", env = "SHOP_KEY" }\n')
    assert stage.script("run", ASHORE_CATALOG="my.toml").returncode == 0
    told = stage.told("run")
    assert f"ASHORE_CATALOG={catalog}" in told
    assert f"{catalog}:{catalog}:ro" in told
    assert "SHOP_KEY" in told
    refused(stage.script("run", ASHORE_CATALOG="absent.toml"), "ASHORE_CATALOG", "absent.toml")


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ({"FAKE_ROOTLESS": "true"}, f"--userns=keep-id --user {os.getuid()}:{os.getgid()}"),
        ({"FAKE_KIND": "Docker"}, f"--user {os.getuid()}:{os.getgid()}"),
        ({"FAKE_KIND": "Docker", "FAKE_OPTIONS": "[name=rootless]"}, "--user 0:0"),
    ],
    ids=["podman without root", "docker", "docker without root"],
)
def test_files_belong_to_the_caller(stage: Stage, engine: dict[str, str], said: str) -> None:
    assert stage.script("run", **engine).returncode == 0
    told = " ".join(stage.told("run"))
    assert f" {said} " in told
    assert ("--userns" in said) == ("--userns" in told)


def test_a_path_with_a_colon_cannot_be_mounted(stage: Stage, tmp_path: Path) -> None:
    refused(stage.script("run", TO=str(tmp_path / "a:b")), "colon", "a:b")


def test_a_push_needs_an_environment(stage: Stage) -> None:
    refused(stage.script("push"), "push dev")


def test_a_push_needs_all_to_be_committed(stage: Stage) -> None:
    (stage.checkout / "new").touch()
    refused(stage.script("push", "dev"), "no commit has")


def test_a_push_is_for_the_platform_of_the_task(stage: Stage) -> None:
    refused(stage.script("push", "dev", PLATFORM="linux/arm64"), "linux/amd64")


def test_a_push_needs_to_know_where_to(stage: Stage) -> None:
    with_python(stage)
    refused(stage.script("push", "dev"), "terraform.tfvars.json", "copy")
    refused(stage.script("push", "nowhere"), '"nowhere"', "dev, prod")


def with_python(stage: Stage) -> None:
    """Give the checkout the environment of this one."""
    (stage.checkout / ".venv").symlink_to(Path(sys.prefix), target_is_directory=True)


def pushing(stage: Stage) -> str:
    """Make a checkout ready to push, and return its commit; building is another test's matter."""
    with_python(stage)
    for name in ("dev", "prod"):
        (stage.checkout / "terraform/environments" / name / "terraform.tfvars.json").write_text(
            f'{{"account_id": "{ACCOUNT}", "region": "{REGION}",'
            f' "image_repository_url": "{REGISTRY}/ashore"}}'
        )
    stage.commit()
    poetry = stage.checkout / ".poetry/bin"
    poetry.mkdir(parents=True)
    (poetry / "poetry").symlink_to(stage.program("poetry", "#!/bin/sh\necho 0.1.0\n"))
    (poetry / "python").symlink_to(stage.program("python", "#!/bin/sh\necho https://index/\n"))
    return stage.git("rev-parse", "HEAD")


PUSHED = """
import sys, boto3
manifest = '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"}'
tag = sys.argv[1].rpartition(":")[2]
boto3.client("ecr").put_image(repositoryName="ashore", imageTag=tag, imageManifest=manifest)
"""


def as_if_pushed(stage: Stage) -> str:
    """Return a command after which the registry has what the engine was told to push."""
    stage.program("pushed.py", PUSHED)
    return f'{sys.executable} {stage.home.parent}/pushed.py "$2"'


@pytest.mark.infra
def test_an_image_is_pushed_once(stage: Stage, local_aws: LocalAws) -> None:
    commit = pushing(stage)
    local_aws.reset()
    environment = {
        **local_aws.environment(),
        "PROFILE": "",
        "FAKE_PUSH": as_if_pushed(stage),
    }
    refused(stage.script("push", "dev", **environment), '"ashore"', "make bootstrap")
    local_aws.client("ecr").create_repository(repositoryName="ashore")
    pushed = stage.script("push", "dev", **environment)
    assert pushed.returncode == 0, pushed.stderr
    digest = pushed.stdout.splitlines()[-1]
    assert digest.startswith("sha256:")
    assert len(digest) == 71
    assert stage.told("login")[1:] == ["--username", "AWS", "--password-stdin", REGISTRY]
    assert stage.log.with_suffix(".password").read_text().strip()
    assert stage.told("tag")[1:] == [f"ashore:{commit}", f"{REGISTRY}/ashore:{commit}"]
    assert stage.told("logout")[1:] == [REGISTRY]
    assert f"REVISION={commit}" in stage.told("build")
    stage.log.unlink()
    again = stage.script("push", "dev", **environment)
    assert again.stdout == f"{digest}\n"
    assert "already" in again.stderr
    assert "push" not in stage.log.read_text()


@pytest.mark.infra
def test_a_push_that_fails_says_so(stage: Stage, local_aws: LocalAws) -> None:
    pushing(stage)
    local_aws.reset()
    local_aws.client("ecr").create_repository(repositoryName="ashore")
    environment = {**local_aws.environment(), "PROFILE": ""}
    failed = stage.script("push", "dev", **environment, FAKE_PUSH="echo denied >&2; exit 1")
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert "denied" in failed.stderr
    faster = stage.script("push", "dev", **environment, FAKE_PUSH=f"{as_if_pushed(stage)}; exit 1")
    assert faster.returncode == 0
    assert faster.stdout.startswith("sha256:")


@pytest.mark.infra
def test_nothing_is_pushed_for_prod_nor_to_another_account(
    stage: Stage, local_aws: LocalAws
) -> None:
    pushing(stage)
    environment = {**local_aws.environment(), "PROFILE": ""}
    refused(stage.script("push", "prod", **environment, GITHUB_ACTIONS=None), "prod")
    file = stage.checkout / "terraform/environments/dev/terraform.tfvars.json"
    file.write_text(file.read_text().replace(ACCOUNT, "210987654321"))
    stage.commit()
    refused(stage.script("push", "dev", **environment), "account", ACCOUNT, "210987654321")
