"""Bootstrap and the environment dev, applied to a local AWS, and all destroyed at the end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.local_aws import ACCOUNT, REGION, LocalAws
from tests.support.terraform import Terraform, copy_of_the_configuration

STATE_BUCKET = f"terraform-state-ashore-{ACCOUNT}"
DIGEST = "sha256:" + "a" * 64
REST_COUNTRIES = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:ashore/rest-countries-AbCdEf"
BOOTSTRAP = {"account_id": ACCOUNT, "region": REGION, "repository": "example/ashore"}
# The one thing that a copy may do and the original may not: let go of the state.
LET_GO = """
resource "aws_s3_bucket" "state" {
  force_destroy = true

  lifecycle {
    prevent_destroy = false
  }
}
"""


@dataclass(frozen=True, slots=True)
class Applied:
    """What stands in the local AWS, and how it came about."""

    local: LocalAws
    bootstrap: Terraform
    dev: Terraform
    first_outputs: dict[str, Any]
    """Of dev, before any image was released."""
    first_rules: dict[str, str]
    """The state of each rule then."""
    outputs: dict[str, Any]
    """Of dev, after a release."""
    changes: dict[str, str]
    """What a second plan would still change, after each apply."""
    figures: dict[str, str]

    def client(self, service: str) -> Any:
        """A client of the local AWS."""
        return self.local.client(service)


@contextmanager
def applied(folder: Path) -> Iterator[Applied]:
    """Apply everything as docs/operations.md does it; destroy it afterwards, and see it gone."""
    configuration, figures = copy_of_the_configuration(folder), dict[str, str]()
    with LocalAws() as local:
        bootstrap = _bootstrap(configuration, local)
        timed(figures, "bootstrap: apply", lambda: apply(bootstrap))
        dev = _dev(configuration, local, bootstrap.outputs())
        timed(figures, "dev: apply", lambda: apply(dev))
        changes = {"bootstrap": bootstrap.changes(), "dev": dev.changes()}
        first_outputs, first_rules = dev.outputs(), rules(local)
        # What a release does at its end.
        local.client("ssm").put_parameter(
            Name="/ashore-dev/image-digest", Value=DIGEST, Overwrite=True
        )
        timed(figures, "dev: apply of a release", lambda: apply(dev))
        changes["dev, released"] = dev.changes()
        figures["resources"] = f"{len(bootstrap.resources())} and {len(dev.resources())}"
        outputs = dev.outputs()
        yield Applied(local, bootstrap, dev, first_outputs, first_rules, outputs, changes, figures)
        timed(figures, "dev: destroy", lambda: destroy(dev))
        assert not dev.resources()
        empty(local, STATE_BUCKET)
        timed(figures, "bootstrap: destroy", lambda: destroy(bootstrap))
        print(*(f"{what}: {figure}" for what, figure in figures.items()), sep="\n")
        still_there = left_over(local)
        assert not still_there, still_there


def apply(terraform: Terraform) -> None:
    """Apply without asking."""
    terraform.run("apply", "-input=false", "-auto-approve")


def empty(local: LocalAws, bucket: str) -> None:
    """Take all versions out of a bucket: Terraform, which would too, gets stuck on this server."""
    s3 = local.client("s3")
    found = s3.list_object_versions(Bucket=bucket)
    for each in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]:
        s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])


def destroy(terraform: Terraform) -> None:
    """Destroy without asking."""
    terraform.run("destroy", "-input=false", "-auto-approve")


def timed(figures: dict[str, str], what: str, work: Callable[[], None]) -> None:
    """Do some work, and note how long it took."""
    began = time.monotonic()
    work()
    figures[what] = f"{time.monotonic() - began:.0f} s"


def rules(local: LocalAws) -> dict[str, str]:
    """The state of each rule with a schedule."""
    found = local.client("events").list_rules(NamePrefix="ashore-dev-")["Rules"]
    return {each["Name"]: each["State"] for each in found if "ScheduleExpression" in each}


def left_over(local: LocalAws) -> list[str]:
    """What still stands of all that was made."""
    ecs = local.client("ecs")
    clusters = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
    stacks = {
        # One that was deleted can still be described.
        "ecs": [each for each in clusters if each["status"] != "INACTIVE"],
        "events": local.client("events").list_rules()["Rules"],
        "s3": local.client("s3").list_buckets()["Buckets"],
        "iam": local.client("iam").list_roles()["Roles"],
        "logs": local.client("logs").describe_log_groups()["logGroups"],
        "ecr": local.client("ecr").describe_repositories()["repositories"],
        "alarms": local.client("cloudwatch").describe_alarms()["MetricAlarms"],
        "sqs": local.client("sqs").list_queues().get("QueueUrls", []),
        "sns": local.client("sns").list_topics()["Topics"],
    }
    return [f"{service}: {each}" for service, found in stacks.items() for each in found]


def _bootstrap(configuration: Path, local: LocalAws) -> Terraform:
    folder = configuration / "bootstrap"
    (folder / "let_go_override.tf").write_text(LET_GO, encoding="utf-8")
    write(folder / "terraform.tfvars.json", BOOTSTRAP)
    local.client("s3").create_bucket(
        Bucket=STATE_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    # Its own state lies in a file here: in the bucket, it would go with the bucket.
    (folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n', "utf-8")
    terraform = Terraform(folder, local.environment())
    terraform.run("init", "-input=false")
    return terraform


def _dev(configuration: Path, local: LocalAws, made: dict[str, Any]) -> Terraform:
    folder = configuration / "environments" / "dev"
    values = json.loads((folder / "terraform.tfvars.json.example").read_text(encoding="utf-8"))
    values |= {
        "image_repository_url": made["image_repository_url"],
        "permissions_boundary_arn": made["permissions_boundary_arn"],
        "source_keys": {"REST_COUNTRIES_API_KEY": REST_COUNTRIES},
    }
    write(folder / "terraform.tfvars.json", values)
    terraform = Terraform(folder, local.environment())
    terraform.run("init", "-input=false", *backend("environments/dev.tfstate"))
    return terraform


def backend(key: str) -> list[str]:
    """Where the state lies, and what a local AWS needs besides."""
    settings = {
        "bucket": STATE_BUCKET,
        "key": key,
        "region": REGION,
        "use_lockfile": "true",
        "use_path_style": "true",
        "skip_requesting_account_id": "true",
    }
    return [f"-backend-config={name}={value}" for name, value in settings.items()]


def write(file: Path, values: dict[str, Any]) -> None:
    """Write a file of variables."""
    file.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
