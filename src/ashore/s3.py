"""S3 as a location: conditional writes, and checksums that S3 itself verifies."""

import base64
import contextlib
import hashlib
import json
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    InvalidConfigError,
    NoCredentialsError,
    ParamValidationError,
    ProfileNotFound,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from ashore.errors import LocationUnusable, Misconfigured
from ashore.store import Body, Description, Entry, Metadata

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PIECE = 2**20
_MISSING = {"404", "NoSuchKey", "NotFound"}
_TAKEN = {"412", "PreconditionFailed"}
_RACE = {"409", "ConditionalRequestConflict"}
_RACES = 20
_MENDS = {
    "NoSuchBucket": "the bucket does not exist; create it, or mend the location",
    "AccessDenied": "access is denied; allow s3:PutObject, s3:GetObject and s3:ListBucket here",
    "403": "access is denied; allow s3:PutObject, s3:GetObject and s3:ListBucket here",
    "ExpiredToken": "the credentials have expired; renew them and run again",
    "RequestTimeTooSkewed": "this machine's clock is wrong; set it and run again",
    "InvalidAccessKeyId": "the access key is not known; look at the AWS profile",
    "SignatureDoesNotMatch": "the secret key is wrong; look at the AWS profile",
}


class S3:
    """A location in a bucket, below a prefix. Uses plain PutObject only, never multipart."""

    def __init__(self, bucket: str, prefix: str, connections: int) -> None:
        """Make the one client that all threads share.

        Raises:
            Misconfigured: when the bucket has no name or AWS is configured wrongly.
        """
        self.root = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"
        self.folds_case = False
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        config = Config(
            max_pool_connections=max(connections, 10),
            retries={"mode": "standard", "total_max_attempts": 5},
            connect_timeout=10,
            read_timeout=30,
        )
        try:
            self._client: S3Client = boto3.client("s3", config=config)
        except (ProfileNotFound, InvalidConfigError, ValueError, BotoCoreError) as error:
            raise Misconfigured(f"AWS is configured wrongly: {error}") from error
        if not bucket:
            raise Misconfigured("the location names no bucket; write s3://bucket/prefix")

    def prepare(self) -> None:
        """Do nothing: a bucket is made by its owner, and never folds case."""

    def create(self, path: str, body: Body, metadata: Metadata | None = None) -> bool:
        """Store an object with ``If-None-Match: *``; S3 refuses bytes of another SHA-256."""
        more = {"Metadata": {"ashore": _ascii(metadata)}} if metadata is not None else {}
        return self._put(path, body, IfNoneMatch="*", ContentType=_content_type(path), **more)

    def read(self, path: str) -> bytes | None:
        """Return an object's bytes, or None where there is none."""
        found = self.read_version(path)
        return found[0] if found else None

    def stream(self, path: str) -> Iterator[bytes]:
        """Yield an object's bytes in pieces of a mebibyte."""
        with self._usable(path):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key(path))
            except ClientError as error:
                if _code(error) in _MISSING:
                    return
                raise
            with contextlib.closing(answer["Body"]) as body:
                while piece := body.read(_PIECE):
                    yield piece

    def describe(self, path: str) -> Description | None:
        """Return what HEAD says; where the store keeps no SHA-256, the object is read for it."""
        with self._usable(path):
            try:
                head = self._client.head_object(
                    Bucket=self._bucket, Key=self._key(path), ChecksumMode="ENABLED"
                )
            except ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise
        kept = head.get("ChecksumSHA256")
        sha256 = base64.b64decode(kept).hex() if kept and "-" not in kept else self._hash(path)
        return Description(head["ContentLength"], sha256, _metadata(head["Metadata"]))

    def list(self, prefix: str) -> Iterator[Entry]:
        """Yield every object below a prefix."""
        for page in self._pages(prefix):
            for entry in page.get("Contents", []):
                yield Entry(entry["Key"].removeprefix(self._prefix), entry["Size"])

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the common prefixes directly below one."""
        for page in self._pages(prefix, "/"):
            for entry in page.get("CommonPrefixes", []):
                yield entry["Prefix"].removeprefix(self._prefix)

    def read_version(self, path: str) -> tuple[bytes, str] | None:
        """Return an object's bytes and its ETag."""
        with self._usable(path):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key(path))
                return answer["Body"].read(), answer["ETag"]
            except ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise

    def replace(self, path: str, body: bytes, version: str | None) -> bool:
        """Replace that ETag (``If-Match``), or create where there was none."""
        condition = {"IfMatch": version} if version else {"IfNoneMatch": "*"}
        whole = Body.of(body)
        return self._put(path, whole, ContentType=_content_type(path), **condition)

    def settle(self, prefix: str) -> None:
        """Do nothing: what S3 confirmed is durable."""

    def how_to_move(self, path: str) -> str:
        """Return the AWS command line's command that moves an object out of the way."""
        old, new = f"{self.root}/{path}", f"{self.root}/_aside/{path}"
        return f"aws s3 mv {shlex.quote(old)} {shlex.quote(new)}"

    def _put(self, path: str, body: Body, **more: Any) -> bool:  # noqa: ANN401 - boto3's own
        with self._usable(path):
            for _ in range(_RACES):
                try:
                    self._put_once(path, body, **more)
                except ClientError as error:
                    if _code(error) in _TAKEN or (_code(error) in _MISSING and "IfMatch" in more):
                        return False
                    if _code(error) not in _RACE:
                        raise
                else:
                    return True
        raise LocationUnusable(f"{self.root}/{path}: other writers were in the way {_RACES} times")

    def _put_once(self, path: str, body: Body, **more: Any) -> None:  # noqa: ANN401 - boto3's own
        checksum = base64.b64encode(bytes.fromhex(body.sha256)).decode()
        with _opened(body) as content:
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._key(path),
                Body=content,
                ChecksumSHA256=checksum,
                **more,
            )

    def _hash(self, path: str) -> str:
        digest = hashlib.sha256()
        for piece in self.stream(path):
            digest.update(piece)
        return digest.hexdigest()

    def _pages(self, prefix: str, delimiter: str = "") -> Iterator[Any]:
        paginator = self._client.get_paginator("list_objects_v2")
        pages = paginator.paginate(
            Bucket=self._bucket, Prefix=self._key(prefix), Delimiter=delimiter
        )
        with self._usable(prefix):
            yield from pages

    def _key(self, path: str) -> str:
        return f"{self._prefix}{path}"

    @contextlib.contextmanager
    def _usable(self, path: str) -> Iterator[None]:
        place = f"{self.root}/{path}"
        try:
            yield
        except ClientError as error:
            mend = _MENDS.get(_code(error), str(error))
            raise LocationUnusable(f"{place}: {mend} ({_code(error)})") from error
        except NoCredentialsError as error:
            raise LocationUnusable(
                f"{place}: there are no AWS credentials; set AWS_PROFILE, or configure them"
            ) from error
        except ParamValidationError as error:
            raise Misconfigured(f"{place} is no location in S3: {_first_line(error)}") from error
        except (BotoCoreError, HTTPClientError, BotoConnectionError) as error:
            raise LocationUnusable(f"{place}: {_first_line(error)}") from error


@contextlib.contextmanager
def _opened(body: Body) -> Iterator[Any]:
    if isinstance(body.content, bytes):
        yield body.content
    else:
        with body.content.open("rb") as file:
            yield file


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]


def _content_type(path: str) -> str:
    return "application/json" if path.endswith(".json") else "text/plain; charset=utf-8"


def _ascii(metadata: Metadata) -> str:
    # Blanks in a row would be folded into one on the way, and the signature would not match.
    text = json.dumps(metadata, separators=(",", ":"))
    return text.replace("  ", " \\u0020")


def _metadata(found: dict[str, str]) -> Metadata | None:
    try:
        document = json.loads(found["ashore"])
    except (KeyError, ValueError):
        return None
    return document if isinstance(document, dict) else None
