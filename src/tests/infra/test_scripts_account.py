"""Scripts act in the account they are for, and whoever cannot get there is told why in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bootstrap
import environments
import infra
import logs
from tests.infra.stage import ROOT, VALUES, Done, Stage, fill_in, query_refusal
from tests.support.local_aws import ACCOUNT, REGION

pytestmark = pytest.mark.infra
ANOTHER = "210987654321"
SCRIPTS = ("backfill", "bootstrap", "environments", "infra", "logs", "release", "run_once")


def refused(done: Done, *words: str) -> None:
    """One line says why, and nothing else is said."""
    assert (done.status, done.out) == (2, "")
    (line,) = done.err.splitlines()
    for word in words:
        assert word in line


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_tells_how_it_is_used(name: str) -> None:
    command = [sys.executable, str(ROOT / "scripts" / f"{name}.py"), "--help"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "usage:" in ended.stdout


@pytest.mark.parametrize(
    ("target", "command"),
    [
        ("bootstrap", "bootstrap.py --profile 'me' -x"),
        ("tf-plan", "infra.py plan 'dev' --profile 'me' -x"),
        ("tf-apply", "infra.py apply 'dev' --profile 'me' -x"),
        ("tf-destroy", "infra.py destroy 'dev' --confirm 'ashore-dev' --profile 'me' -x"),
        ("deploy", "release.py 'dev' 'sha256:0' --profile 'me' -x"),
        ("run-once", "run_once.py 'dev' --profile 'me' -x"),
        ("logs", "logs.py 'dev' --profile 'me' -x"),
        ("backfill", "backfill.py 'dev' --profile 'me' -x"),
    ],
)
def test_every_target_of_make_runs_its_script(target: str, command: str) -> None:
    given = ["ENV=dev", "PROFILE=me", "CONFIRM=ashore-dev", "DIGEST=sha256:0", "ARGS=-x"]
    # What these tests were started by may be make itself, and then it would tell its folder.
    make = ["make", "--no-print-directory", "-n", "-o", ".venv/.ready", target, *given]
    ended = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout == f".venv/bin/python scripts/{command}\n"


def test_environments_are_asked_without_any_package() -> None:
    script = str(ROOT / "scripts" / "environments.py")
    command = [sys.executable, "-I", "-S", script, "--help"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_script_that_refuses_ends_with_2_and_one_line(scripts: Stage) -> None:
    command = [sys.executable, str(scripts.folder / "scripts" / "infra.py"), "plan", "moon"]
    paths = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    ended = subprocess.run(command, env=paths, capture_output=True, text=True, check=False)
    refused(Done(ended.returncode, ended.stdout, ended.stderr), "infra: ", '"moon"', "dev, prod")


# --- what an environment says of itself


def test_what_a_workflow_needs_to_know(scripts: Stage) -> None:
    assert environments.main(["dev"]) == 0
    assert scripts.capture.readouterr().out.splitlines() == [
        "there=true",
        f"region={REGION}",
        f"plan_role=arn:aws:iam::{ACCOUNT}:role/ashore-github-plan",
        f"deploy_role=arn:aws:iam::{ACCOUNT}:role/ashore-github-deploy",
    ]


@pytest.mark.parametrize(("actions", "mark"), [("true", "::notice::"), ("", "notice: ")])
def test_an_environment_that_nobody_filled_in_is_left_out(
    actions: str,
    mark: str,
    scripts: Stage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", actions)
    assert environments.main(["prod"]) == 0
    out, err = scripts.capture.readouterr()
    assert out == "there=false\n"
    assert err.startswith(f"{mark}prod is left out: there is no terraform/environments/prod/")


def test_roles_are_named_by_the_partition_of_their_region() -> None:
    assert environments.Account("1", "cn-north-1").role("plan").startswith("arn:aws-cn:")
    assert environments.Account("1", "us-gov-west-1").role("plan").startswith("arn:aws-us-gov:")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("{", "cannot be read as JSON: Expecting property name"),
        ("[]", "is not a JSON object"),
        ({**VALUES, "account_id": 123456789012}, "account_id must be the 12 digits"),
        ({**VALUES, "account_id": "12"}, "account_id must be the 12 digits"),
        ({**VALUES, "region": "Europe"}, "region must be a region of AWS"),
        ({**VALUES, "region": "eu-west-1\nthere=x"}, "region must be a region of AWS"),
        ({**VALUES, "image_repository_url": "ashore"}, "image_repository_url must be ACCOUNT.dkr"),
        ({"account_id": ACCOUNT}, "region must be a region of AWS"),
    ],
)
def test_an_environment_that_is_filled_in_wrongly(
    values: object, words: str, scripts: Stage
) -> None:
    fill_in(scripts.folder, "environments/dev", values)
    refused(scripts.act(infra, "plan", "dev"), "environments/dev/terraform.tfvars.json", words)
    assert scripts.terraform.told == []


def test_an_environment_without_its_file_is_refused_by_what_acts(scripts: Stage) -> None:
    done = scripts.act(logs, "prod")
    refused(done, "there is no terraform/environments/prod/terraform.tfvars.json", ".example")


# --- whose account it is


def test_another_account_is_not_touched(scripts: Stage) -> None:
    fill_in(scripts.folder, "environments/dev", {**VALUES, "account_id": ANOTHER})
    fill_in(scripts.folder, "bootstrap", {**VALUES, "account_id": ANOTHER})
    words = (f"account {ACCOUNT}", f"this is for {ANOTHER}", "nothing was done")
    refused(scripts.act(infra, "apply", "dev"), *words)
    refused(scripts.act(bootstrap), *words)
    assert scripts.terraform.told == []
    assert scripts.aws.client("s3").list_buckets()["Buckets"] == []


def test_prod_is_for_its_workflow_only(scripts: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_in(scripts.folder, "environments/prod", VALUES)
    refused(scripts.act(infra, "apply", "prod"), "prod is changed by its workflow only")
    assert scripts.terraform.told == []
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert scripts.act(infra, "apply", "prod").status == 0
    assert scripts.terraform.commands == ["init", "apply"]


def profiles(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    """Configure AWS as a person does, with nothing in the environment."""
    file = folder / "config"
    file.write_text(text)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)


SSO = """[profile dev]
sso_session = us
sso_account_id = 123456789012
sso_role_name = Developer
[sso-session us]
sso_start_url = https://127.0.0.1:9/start
sso_region = eu-west-1
"""


@pytest.mark.parametrize(
    ("text", "profile", "words"),
    [
        ("", "dev", ('profile "dev"', "could not be found", "aws configure sso", "PROFILE=")),
        ("", "", ("credentials of the environment", "Unable to locate", "PROFILE=dev")),
        (SSO, "dev", ('profile "dev"', "aws sso login --profile dev")),
        ("[profile dev", "dev", ('profile "dev"', "Unable to parse config file")),
        ("[profile dev]\nrole_arn = a\n", "dev", ('profile "dev"', "source_profile")),
        (
            "[profile dev]\ncredential_process = /bin/false\n",
            "dev",
            ('profile "dev"', "custom-process"),
        ),
    ],
)
def test_whoever_has_no_credentials_is_told_what_to_do(
    text: str,
    profile: str,
    words: tuple[str, ...],
    scripts: Stage,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    profiles(monkeypatch, tmp_path, text)
    monkeypatch.setenv("HOME", str(tmp_path))
    refused(scripts.act(infra, "plan", "dev", "--profile", profile), *words)
    assert scripts.terraform.told == []


def test_credentials_that_are_too_old(scripts: Stage) -> None:
    expired = query_refusal("ExpiredToken", "The security token included is expired")
    scripts.fargate.refused["GetCallerIdentity"] = expired
    refused(scripts.act(infra, "plan", "dev"), "ExpiredToken", "is expired", "get new ones")


def test_an_endpoint_that_nobody_answers_at(
    scripts: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    refused(scripts.act(logs, "dev"), "Could not connect to the endpoint URL")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nowhere")
    refused(scripts.act(logs, "dev"), "Invalid endpoint: nowhere")


ROLE = """[profile dev]
role_arn = arn:aws:iam::{account}:role/developer
credential_source = Environment
"""


def test_a_profile_that_assumes_a_role_is_handed_to_terraform_as_keys(
    scripts: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    profiles(monkeypatch, tmp_path, ROLE.format(account=ACCOUNT))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "outer")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "outer")
    monkeypatch.setenv("AWS_PROFILE", "another")
    assert scripts.act(infra, "plan", "dev", "--profile", "dev").status == 0
    variables = scripts.terraform.told[0].variables
    assert variables["AWS_ACCESS_KEY_ID"] not in ("outer", "test")
    assert variables["AWS_SESSION_TOKEN"]
    assert variables["AWS_REGION"] == REGION
    assert "AWS_PROFILE" not in variables


def test_a_role_in_another_account_is_refused(
    scripts: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    profiles(monkeypatch, tmp_path, ROLE.format(account=ANOTHER))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "outer")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "outer")
    done = scripts.act(infra, "apply", "dev", "--profile", "dev")
    refused(done, f'profile "dev" is of account {ANOTHER}', ACCOUNT)


def test_the_examples_are_filled_in_rightly(scripts: Stage) -> None:
    for name in ("environments/dev", "environments/prod", "bootstrap"):
        example = ROOT / "terraform" / name / "terraform.tfvars.json.example"
        fill_in(scripts.folder, name, json.loads(example.read_text()))
    assert environments.read_environment("dev").account == environments.read_account()
    assert environments.read_environment("prod").prefix == "ashore-prod"
