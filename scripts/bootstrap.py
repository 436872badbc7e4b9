"""Make, once in an account, what environments need: state bucket, image repository, GitHub's roles.

    make bootstrap

Terraform keeps its state in a bucket that it cannot make itself, so this makes the bucket first and
Terraform takes it over. Doing it again is harmless. What terraform/bootstrap/terraform.tfvars.json
has to say shows the example beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from account import command_line, enter_account, run
from environments import Account, RefusedError, bootstrap_folder, read_account
from infra import Terraform, approval

if TYPE_CHECKING:
    import boto3

KEY = "bootstrap.tfstate"


def main(argv: Sequence[str] | None = None) -> int:
    """Make it, or show what would be made; return Terraform's exit status."""
    parser = command_line(__doc__)
    parser.add_argument("command", choices=("plan", "apply"), nargs="?", default="apply")
    options = parser.parse_args(argv)
    account = read_account()
    session = enter_account(account, options.profile)
    terraform = Terraform(bootstrap_folder(), session)
    make_state_bucket(session, account, only_look=options.command == "plan")
    terraform.initialise(account, KEY)
    if options.command == "plan":
        return terraform.run("plan", "-input=false", "-lock-timeout=5m")
    status = terraform.run("apply", "-lock-timeout=5m", *approval(sure=False))
    if status == 0:
        print(what_to_copy(account, terraform.outputs()))
    return status


def make_state_bucket(session: boto3.Session, account: Account, *, only_look: bool) -> None:
    """Make the bucket of the state, unless it is there.

    Raises:
        RefusedError: somebody else has a bucket of that name, or it is not there and nothing may
            be made.
    """
    s3, bucket = session.client("s3"), account.state_bucket
    if is_ours(s3, bucket, account):
        print(f"The bucket {bucket} is there.")
        return
    if only_look:
        raise RefusedError(
            f"there is no bucket {bucket} yet, and Terraform plans nothing without its state; "
            "make bootstrap makes it, and then asks before it makes anything else"
        )
    # us-east-1 is where S3 makes a bucket unless told, and may not be told.
    place: Any = {"LocationConstraint": account.region}
    s3.create_bucket(
        Bucket=bucket,
        **({} if account.region == "us-east-1" else {"CreateBucketConfiguration": place}),
    )
    s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    print(f"Made the bucket {bucket}: it keeps Terraform's state.")


def is_ours(s3: Any, bucket: str, account: Account) -> bool:  # noqa: ANN401 - a client of S3
    """Tell whether a bucket is there.

    Raises:
        RefusedError: it belongs to another account, or may not be looked at.
    """
    try:
        s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=account.account_id)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchBucket"}:
            return False
        raise RefusedError(
            f"the bucket {bucket} cannot be looked at: {error}; "
            "it is another account's, or these credentials may not use it"
        ) from error
    return True


def what_to_copy(account: Account, found: dict[str, Any]) -> str:
    """Return what has to be written into each environment's terraform.tfvars.json."""
    values = {
        "account_id": account.account_id,
        "region": account.region,
        "image_repository_url": found["image_repository_url"]["value"],
        "permissions_boundary_arn": found["permissions_boundary_arn"]["value"],
    }
    return (
        "\nFor terraform/environments/ENV/terraform.tfvars.json (its example shows the rest):\n"
        f"{json.dumps(values, indent=2)}\nCommit that file; then: make tf-apply ENV=dev"
    )


if __name__ == "__main__":
    sys.exit(run(main))
