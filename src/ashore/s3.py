"""S3 as a location: conditional writes, and checksums that S3 itself verifies."""

import base64
import contextlib
import hashlib
import json
import random
import re
import shlex
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    InvalidConfigError,
    NoCredentialsError,
    ParamValidationError,
    ProfileNotFound,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from ashore.errors import LocationUnusable, Misconfigured, Violated
from ashore.redaction import remember, without_any
from ashore.store import Body, Description, Entry, Metadata

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Answer = TypeVar("Answer")

_PIECE = 2**20
_MISSING = {"404", "NoSuchKey", "NotFound"}
_TAKEN = {"412", "PreconditionFailed"}
_RACE = {"409", "ConditionalRequestConflict"}
_DAMAGED = {"BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"}
_PUTS = 20
_LONGEST_TOLD = 500
_USER = re.compile(r"//[^/@\s]+@")
_READS = 4
_WAITS = (0.2, 1.0, 3.0, 8.0)
"""Seconds before a call is tried again where S3, or the way to it, is in trouble."""
_LONGEST_PAUSE = 0.5
_TROUBLES = {"RequestTimeout", "RequestTimeoutException", "SlowDown", "RequestLimitExceeded"}
_TROUBLED = {429, 500, 502, 503, 504}
_NO_ANSWER = (HTTPClientError, BotoConnectionError)
_BROKEN_OFF = (IncompleteReadError, ResponseStreamingError, ReadTimeoutError)
"""A body that began to come: boto3 tries again only what comes before it."""
_DENIED = {"AccessDenied", "AllAccessDisabled", "403"}
# Without the permission to list, S3 does not even tell that an object is not there.
_ALLOW_READ = "allow s3:GetObject here, and s3:ListBucket for the bucket"
_ALLOW = {
    "PutObject": "allow s3:PutObject here",
    "ListObjectsV2": "allow s3:ListBucket for the bucket",
    "GetObject": _ALLOW_READ,
    "HeadObject": _ALLOW_READ,
}
_CREDENTIALS = "the credentials have expired or are damaged; renew them and run again"
_MENDS = {
    "NoSuchBucket": "the bucket does not exist; create it, or mend the location",
    "400": _CREDENTIALS,
    "ExpiredToken": "the credentials have expired; renew them and run again",
    "InvalidToken": _CREDENTIALS,
    "RequestTimeTooSkewed": "this machine's clock is wrong; set it and run again",
    "InvalidAccessKeyId": "the access key is not known; look at the AWS profile",
    "SignatureDoesNotMatch": "the secret key is wrong; look at the AWS profile",
    "AuthorizationHeaderMalformed": "the region is wrong; look at AWS_REGION and the AWS profile",
    "PermanentRedirect": "the bucket is in another region; look at AWS_REGION and the AWS profile",
    "KeyTooLongError": "the name is too long for S3; land below a shorter prefix",
    "NotImplemented": "the store lacks something that ashore needs: conditional writes, probably",
    **dict.fromkeys(_DAMAGED, "the bytes are damaged on the way; look at what lies between"),
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
            retries={"total_max_attempts": 1},  # they are ours: boto3's are over in half a second
            connect_timeout=10,
            read_timeout=30,
        )
        try:
            session = boto3.Session()
            self._client: S3Client = session.client("s3", config=config)
            self._credentials = session.get_credentials()
        except (ProfileNotFound, InvalidConfigError, ValueError, BotoCoreError) as error:
            raise Misconfigured(f"AWS is configured wrongly: {_nameless(str(error))}") from error
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
        """Yield an object's bytes in pieces of a mebibyte; where they break off, go on there.

        They are not judged: whoever reads them has a SHA-256 to hold them against.
        """
        done, same = 0, dict[str, str]()
        with self._usable(path):
            for left in reversed(range(_READS)):
                answer = self._get(path, **same)
                if answer is None:
                    return
                try:
                    with contextlib.closing(answer["Body"]) as body:
                        while piece := body.read(_PIECE):
                            done += len(piece)
                            yield piece
                except FlexibleChecksumError:
                    return
                except _BROKEN_OFF:
                    if not left:
                        raise
                    same = {"Range": f"bytes={done}-", "IfMatch": answer["ETag"]}
                else:
                    return

    def describe(self, path: str) -> Description | None:
        """Return what HEAD says; where the store keeps no SHA-256, the object is read for it."""
        with self._usable(path):
            try:
                head = self._head(path)
            except ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise
            size, notes = head["ContentLength"], _metadata(head["Metadata"])
        kept = head.get("ChecksumSHA256")
        sha256 = base64.b64decode(kept).hex() if kept and "-" not in kept else self._hash(path)
        return Description(size, sha256, notes)

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
        """Return an object's bytes and its ETag; what is damaged on its way is read again.

        Raises:
            Violated: when the bytes are never those whose checksum the store keeps.
        """
        with self._usable(path):
            for left in reversed(range(_READS)):
                answer = self._get(path)
                try:
                    return (answer["Body"].read(), answer["ETag"]) if answer else None
                except FlexibleChecksumError as error:
                    damaged = error
                except _BROKEN_OFF:
                    if not left:
                        raise
        move = self.how_to_move(path)
        raise Violated(
            f"{path} does not hold up: its bytes are not those whose checksum S3 keeps. "
            f"To move it away: {move}"
        ) from damaged

    def replace(self, path: str, body: bytes, version: str | None) -> bool:
        """Replace that ETag (``If-Match``), or create where there was none."""
        condition = {"IfMatch": version} if version else {"IfNoneMatch": "*"}
        mark = {"ashore-write": uuid.uuid4().hex}
        more = {"ContentType": _content_type(path), "Metadata": mark, **condition}
        return self._put(path, Body.of(body), **more) or self._carries(path, mark)

    def settle(self, prefix: str) -> None:
        """Do nothing: what S3 confirmed is durable."""

    def how_to_move(self, path: str) -> str:
        """Return the AWS command line's command that moves an object out of the way."""
        old, new = f"{self.root}/{path}", f"{self.root}/_aside/{path}"
        return f"aws s3 mv {shlex.quote(old)} {shlex.quote(new)}"

    def _put(self, path: str, body: Body, **more: Any) -> bool:  # noqa: ANN401 - boto3's own
        with self._usable(path):
            for number in range(1, _PUTS + 1):
                try:
                    _patiently(partial(self._put_once, path, body, **more))
                except ClientError as error:
                    code = _code(error)
                    if code in _TAKEN or (code in _MISSING and "IfMatch" in more):
                        return False
                    if code not in _RACE | _DAMAGED or (code in _DAMAGED and number == _PUTS):
                        raise
                    time.sleep(random.uniform(0, _LONGEST_PAUSE))  # noqa: S311 - to spread writers
                else:
                    return True
        raise LocationUnusable(f"{self.root}/{path}: other writers were in the way {_PUTS} times")

    def _put_once(self, path: str, body: Body, **more: Any) -> None:  # noqa: ANN401 - boto3's own
        checksum = base64.b64encode(bytes.fromhex(body.sha256)).decode()
        with _opened(body) as content:
            _require_tag(
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=self._key(path),
                    Body=content,
                    ChecksumSHA256=checksum,
                    **more,
                )
            )

    def _carries(self, path: str, mark: Mapping[str, str]) -> bool:
        """Tell whether a write that was refused met itself: it was repeated, its answer lost."""
        with self._usable(path):
            try:
                head = self._head(path)
            except ClientError as error:
                if _code(error) in _MISSING:
                    return False
                raise
        return bool(head["Metadata"] == mark)

    def _get(self, path: str, **more: Any) -> Any:  # noqa: ANN401 - boto3's own
        try:
            get = partial(self._client.get_object, Bucket=self._bucket, Key=self._key(path))
            answer = _patiently(partial(get, **more))
        except ClientError as error:
            if _code(error) in _MISSING:
                return None
            raise
        _require_tag(answer)
        return answer

    def _head(self, path: str) -> Any:  # noqa: ANN401 - boto3's own
        head = partial(self._client.head_object, Bucket=self._bucket, Key=self._key(path))
        return _patiently(partial(head, ChecksumMode="ENABLED"))

    def _hash(self, path: str) -> str:
        digest = hashlib.sha256()
        for piece in self.stream(path):
            digest.update(piece)
        return digest.hexdigest()

    def _pages(self, prefix: str, delimiter: str = "") -> Iterator[Any]:
        ask = partial(self._client.list_objects_v2, Bucket=self._bucket, Delimiter=delimiter)
        more: dict[str, Any] = {"Prefix": self._key(prefix)}
        with self._usable(prefix):
            while True:
                page = _patiently(partial(ask, **more))
                yield page
                if not page["IsTruncated"]:
                    return
                more["ContinuationToken"] = page["NextContinuationToken"]

    def _key(self, path: str) -> str:
        return f"{self._prefix}{path}"

    @contextlib.contextmanager
    def _usable(self, path: str) -> Iterator[None]:
        place = f"{self.root}/{path}"
        try:
            yield
        except ClientError as error:
            told = self._without_keys(f"{_mend(error)} ({_code(error)})")
            raise LocationUnusable(f"{place}: {told}") from error
        except NoCredentialsError as error:
            raise LocationUnusable(
                f"{place}: there are no AWS credentials; set AWS_PROFILE, or configure them"
            ) from error
        except ParamValidationError as error:
            raise Misconfigured(f"{place} is no location in S3: {_first_line(error)}") from error
        except (KeyError, RecursionError) as error:
            # Something is left out that S3 never leaves out, or boto3 was sent in a circle.
            mend = "look at the network and at AWS_ENDPOINT_URL"
            raise LocationUnusable(f"{place}: what answers there is no S3; {mend}") from error
        except (*_NO_ANSWER, BotoCoreError) as error:
            mend = "look at the network and at AWS_ENDPOINT_URL, or run again later"
            told = self._without_keys(_first_line(error))
            raise LocationUnusable(f"{place}: {told}; {mend}") from error

    def _without_keys(self, text: str) -> str:
        """Return what S3, or what lies before it, says, without the keys that it was asked with."""
        if self._credentials is not None:
            with contextlib.suppress(BotoCoreError, ClientError):
                keys = self._credentials.get_frozen_credentials()
                remember(keys.secret_key, keys.token)
        return _nameless(without_any(text))[:_LONGEST_TOLD]


def _nameless(text: str) -> str:
    """Return a text without the user and password that an address may hold."""
    return _USER.sub("//***@", text)


def _require_tag(answer: Mapping[str, Any]) -> None:
    """Look at what S3 never leaves out; who else answers with 200 has done nothing of all that."""
    if "ETag" not in answer:
        raise KeyError("ETag")


def _patiently(call: Callable[[], Answer]) -> Answer:
    """Ask S3, and ask again where it, or the way to it, is in trouble: for about ten seconds."""
    for wait in _WAITS:
        try:
            return call()
        except (*_NO_ANSWER, ClientError) as error:
            if isinstance(error, ClientError) and not _is_trouble(error):
                raise
        time.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - to spread those who wait
    return call()


@contextlib.contextmanager
def _opened(body: Body) -> Iterator[Any]:
    if isinstance(body.content, bytes):
        yield body.content
    else:
        with body.content.open("rb") as file:
            yield file


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _is_trouble(error: ClientError) -> bool:
    """Tell whether S3 said that it may go better later."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status in _TROUBLED or _code(error) in _TROUBLES


def _mend(error: ClientError) -> str:
    """What the operator can do about it."""
    code = _code(error)
    said = error.response.get("Error", {}).get("Message") or "no reason is given"
    if code.startswith("KMS.") or "kms:" in said:
        return "the bucket's encryption key cannot be used; look at it and at who may use it"
    if code in _DENIED:
        return f"access is denied; {_ALLOW.get(error.operation_name, 'look at the policies')}"
    if code not in _MENDS and _is_trouble(error):
        return "S3 is in trouble, or asks for fewer requests; run again later"
    return _MENDS.get(code, f"S3 refuses: {said}")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]


def _content_type(path: str) -> str:
    return "application/json" if path.endswith(".json") else "text/plain; charset=utf-8"


def _ascii(metadata: Metadata) -> str:
    # Blanks in a row would be folded into one on the way, and the signature would not match.
    text = json.dumps(metadata, separators=(",", ":"))
    return text.replace("  ", " \\u0020").replace("\x7f", "\\u007f")


def _metadata(found: dict[str, str]) -> Metadata | None:
    try:
        document = json.loads(found["ashore"])
    except (KeyError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
