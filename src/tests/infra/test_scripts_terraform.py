"""What the scripts ask of Terraform, and what they do before it can be asked anything."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

import bootstrap
import infra
from tests.infra.stage import REPOSITORY, Reply, Stage, fill_in
from tests.support.local_aws import ACCOUNT, REGION

pytestmark = pytest.mark.infra
STATE = f"terraform-state-ashore-{ACCOUNT}"


def backend(key: str) -> tuple[str, ...]:
    """How Terraform is told where its state is."""
    settings = (
        f"bucket={STATE}",
        f"key={key}",
        f"region={REGION}",
        "encrypt=true",
        "use_lockfile=true",
    )
    return tuple(f"-backend-config={each}" for each in settings)


# --- environments


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["plan", "dev"], ("plan", "-input=false", "-lock-timeout=5m")),
        (["plan", "dev", "--no-lock"], ("plan", "-input=false", "-lock=false")),
        (["apply", "dev"], ("apply", "-lock-timeout=5m", "-input=false", "-auto-approve")),
        (
            ["destroy", "dev", "--confirm", "ashore-dev"],
            ("destroy", "-lock-timeout=5m", "-input=false", "-auto-approve"),
        ),
    ],
)
def test_terraform_is_asked_in_the_folder_of_the_environment(
    given: list[str], told: tuple[str, ...], scripts: Stage
) -> None:
    assert scripts.act(infra, *given).status == 0
    first, second = scripts.terraform.told
    assert first.words == (
        "init",
        "-input=false",
        "-reconfigure",
        *backend("environments/dev.tfstate"),
    )
    assert second.words == told
    assert {first.folder, second.folder} == {scripts.folder / "terraform/environments/dev"}


def test_at_a_terminal_terraform_asks_before_it_applies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    assert infra.words(infra.arguments(["apply", "dev"])) == ["apply", "-lock-timeout=5m"]
    sure = infra.words(infra.arguments(["destroy", "dev", "--confirm", "ashore-dev"]))
    assert "-auto-approve" in sure


def test_plugins_come_from_a_folder_where_one_is_named(
    scripts: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_PLUGIN_DIR", "plugins")
    scripts.act(infra, "plan", "dev")
    assert "-plugin-dir=plugins" in scripts.terraform.told[0].words


@pytest.mark.parametrize("confirm", [[], ["--confirm", "ashore-prod"], ["--confirm", "yes"]])
def test_nothing_is_destroyed_unless_it_is_named(confirm: list[str], scripts: Stage) -> None:
    done = scripts.act(infra, "destroy", "dev", *confirm)
    assert done.status == 2
    assert "make tf-destroy ENV=dev CONFIRM=ashore-dev" in done.err
    assert scripts.terraform.told == []


def test_a_failing_terraform_is_told_by_its_status(scripts: Stage) -> None:
    scripts.terraform.fails_at("apply")
    assert scripts.act(infra, "apply", "dev").status == 1
    scripts.terraform.fails_at("init")
    done = scripts.act(infra, "apply", "dev")
    assert (done.status, scripts.terraform.commands) == (1, ["init", "apply", "init"])
    assert "terraform init failed; the reason stands above" in done.err


def test_without_terraform_one_line_says_so(
    scripts: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for done in (scripts.act(infra, "plan", "dev"), scripts.act(bootstrap)):
        assert (done.status, len(done.err.splitlines())) == (2, 1)
        assert "Terraform is not installed" in done.err


def test_what_only_a_plan_can_do_is_refused_elsewhere(scripts: Stage) -> None:
    done = scripts.act(infra, "apply", "dev", "--no-lock")
    assert (done.status, scripts.terraform.told) == (2, [])
    assert "--no-lock and --summary are for plan" in done.err


# --- the summary of a plan


def test_a_plan_is_shown_and_summed_up(scripts: Stage, tmp_path: Path) -> None:
    scripts.terraform.plans("  + resource\n\nPlan: 1 to add, 0 to change, 0 to destroy.\n")
    file = tmp_path / "plan.md"
    done = scripts.act(infra, "plan", "dev", "--no-lock", "--summary", str(file))
    assert done.status == 0
    assert "  + resource\n" in done.out
    assert file.read_text() == (
        "### Terraform: dev\n\nPlan: 1 to add, 0 to change, 0 to destroy.\n\n"
        "<details><summary>All of it</summary>\n\n````text\n"
        "+ resource\n\nPlan: 1 to add, 0 to change, 0 to destroy.\n````\n\n</details>\n"
    )


def test_a_plan_that_fails_is_summed_up_too(scripts: Stage, tmp_path: Path) -> None:
    scripts.terraform.plans("╷\n│ Error: no such thing\n╵\n")
    scripts.terraform.fails_at("plan")
    file = tmp_path / "plan.md"
    assert scripts.act(infra, "plan", "dev", "--summary", str(file)).status == 1
    assert "\n\n│ Error: no such thing\n\n" in file.read_text()


def test_a_summary_is_never_longer_than_github_takes() -> None:
    text = "\n".join(f"  + line {number}" for number in range(50_000)) + "\nPlan: 50000 to add.\n"
    told = infra.summary("dev", text)
    assert len(told) <= infra.COMMENT
    assert "+ line 0\n" in told
    assert "left out here" in told
    assert told.endswith("Plan: 50000 to add.\n````\n\n</details>\n")


def test_what_a_plan_holds_cannot_end_the_fence_around_it() -> None:
    told = infra.summary("dev", "a\n``````\n<b>\nNo changes. Fine.\n")
    (opening,) = re.findall(r"^(`+)text$", told, re.MULTILINE)
    assert len(opening) == 7
    assert told.count(opening) == 2


# --- bootstrap


def test_the_bucket_of_the_state_is_made_once(scripts: Stage) -> None:
    first, again = scripts.act(bootstrap), scripts.act(bootstrap, "apply")
    assert (first.status, again.status) == (0, 0)
    assert f"Made the bucket {STATE}" in first.out
    assert f"The bucket {STATE} is there." in again.out
    s3 = scripts.aws.client("s3")
    assert s3.get_bucket_versioning(Bucket=STATE)["Status"] == "Enabled"
    block = s3.get_public_access_block(Bucket=STATE)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    assert s3.get_bucket_location(Bucket=STATE)["LocationConstraint"] == REGION


def test_a_bucket_is_made_in_the_one_region_that_may_not_be_named(
    scripts: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_in(scripts.folder, "bootstrap", {"account_id": ACCOUNT, "region": "us-east-1"})
    assert scripts.act(bootstrap).status == 0
    location = scripts.aws.client("s3").get_bucket_location(Bucket=STATE)
    assert location["LocationConstraint"] is None


def test_bootstrap_tells_what_environments_need(scripts: Stage) -> None:
    done = scripts.act(bootstrap)
    init, apply, output = scripts.terraform.told
    assert init.words[3:] == backend("bootstrap.tfstate")
    assert apply.words == ("apply", "-lock-timeout=5m", "-input=false", "-auto-approve")
    assert output.words == ("output", "-json")
    assert init.folder == scripts.folder / "terraform/bootstrap"
    assert f'"image_repository_url": "{REPOSITORY}"' in done.out
    assert f'"permissions_boundary_arn": "arn:aws:iam::{ACCOUNT}:policy/boundary"' in done.out


def test_planning_the_bootstrap_makes_nothing(scripts: Stage) -> None:
    done = scripts.act(bootstrap, "plan")
    assert done.status == 2
    assert f"there is no bucket {STATE} yet" in done.err
    assert scripts.aws.client("s3").list_buckets()["Buckets"] == []
    assert scripts.terraform.told == []


def test_planning_the_bootstrap_again(scripts: Stage) -> None:
    scripts.act(bootstrap)
    assert scripts.act(bootstrap, "plan").status == 0
    assert scripts.terraform.told[-1].words == ("plan", "-input=false", "-lock-timeout=5m")


def test_a_bootstrap_that_fails_tells_nothing_to_copy(scripts: Stage) -> None:
    scripts.terraform.fails_at("apply")
    done = scripts.act(bootstrap)
    assert done.status == 1
    assert "image_repository_url" not in done.out
    assert scripts.terraform.commands == ["init", "apply"]


def test_somebody_elses_bucket_is_not_used(scripts: Stage) -> None:
    scripts.fargate.refused[f"HEAD /{STATE}"] = Reply(403, "application/xml", b"")
    done = scripts.act(bootstrap)
    assert (done.status, scripts.terraform.told) == (2, [])
    assert f"the bucket {STATE} cannot be looked at" in done.err
