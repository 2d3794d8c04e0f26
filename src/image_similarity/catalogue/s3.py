"""Read objects from S3, with the keys of the first version's ``config.py``, which is parsed and never run."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from image_similarity.errors import CatalogueError
from image_similarity.settings import Settings
from image_similarity.util.files import read_file

KEY_NAMES = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
ASSIGNMENT = re.compile(r"^\s*(" + "|".join(KEY_NAMES) + r")\s*=\s*(.*?)\s*$", re.IGNORECASE | re.MULTILINE)
VALUE = re.compile(r"""(?:'([\w/+=.-]+)'|"([\w/+=.-]+)"|([\w/+=.-]+))\s*(?:[;#].*)?""", re.ASCII)
CHUNK = 1 << 20
TRIES = 3
CONNECT_TIMEOUT = 3.0  # seconds
READ_TIMEOUT = 20.0


def fetch_object(location: str, file: BinaryIO, settings: Settings, region: str | None = None) -> None:
    """Copy ``s3://bucket/key`` into an empty file.

    Raises:
        CatalogueError: no credentials, no such bucket or key, no permission, or no response.
    """
    bucket, _, key = location.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise CatalogueError(f"{location} is not s3://bucket/key")
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        IncompleteReadError,
        ReadTimeoutError,
        ResponseStreamingError,
    )

    cut_short = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError)
    try:
        client = _client(settings, region)
        for left in reversed(range(TRIES)):
            try:
                _download(client, bucket, key, file)
                return
            except cut_short:
                if not left:
                    raise
    except ClientError as error:
        _raise_refusal(error, location, bucket, key)
    except BotoCoreError as error:
        _raise_unreachable(error, location, settings)
    except ValueError:
        # Python's message would quote the request's headers, and with them a key.
        raise CatalogueError(
            f"cannot request from S3: {location}: the endpoint ({_endpoint(settings)}) or the keys hold odd characters"
        ) from None


def _download(client: Any, bucket: str, key: str, file: BinaryIO) -> None:
    file.seek(0)
    file.truncate()
    body = client.get_object(Bucket=bucket, Key=key)["Body"]
    try:
        for chunk in body.iter_chunks(CHUNK):
            file.write(chunk)
    finally:
        body.close()


def _client(settings: Settings, region: str | None) -> Any:
    import boto3
    from botocore.config import Config
    from botocore.session import get_session

    # Few and short attempts: an endpoint that does not respond is reported within seconds.
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": TRIES},
    )
    core = get_session()
    core.register_component("data_loader", _descriptions())
    return boto3.session.Session(botocore_session=core).client(
        "s3", region_name=region, endpoint_url=settings.s3_endpoint, config=config, **aws_keys(settings.config_file)
    )


@cache
def _descriptions() -> Any:
    """botocore's descriptions of services: parsed once, as that takes most of the time that making a client does."""
    from botocore.session import get_session

    return get_session().get_component("data_loader")


def aws_keys(config_file: Path) -> dict[str, str]:
    """The AWS keys assigned in the first version's ``config.py``, quoted or not; empty where there are none.

    Raises:
        CatalogueError: it has one key without the other, or a value that is not a literal.
    """
    try:
        text = read_file(config_file).decode("utf-8-sig", "replace")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return {}
    except OSError as error:
        raise CatalogueError(f"cannot read the AWS credentials in {config_file}: {error.strerror}") from error
    keys: dict[str, str] = {}
    for name, value in ASSIGNMENT.findall(text):
        match = VALUE.fullmatch(value)
        if match is None:
            raise CatalogueError(
                f"the value of {name} in {config_file} is not an AWS credential. The file is read as text, never run: "
                f"write {name}= and the value itself"
            )
        keys[name.lower()] = match[1] or match[2] or match[3]
    absent = [name for name in KEY_NAMES[:2] if name not in keys]
    if keys and absent:
        raise CatalogueError(
            f"{config_file} has no {absent[0]}. Set both credentials, or neither to use the AWS settings"
        )
    return keys


def _raise_refusal(error: Any, location: str, bucket: str, key: str) -> NoReturn:
    """Raise the error for a refusal by S3."""
    code = str(error.response.get("Error", {}).get("Code", "unknown"))
    reasons = {
        "NoSuchBucket": f"there is no bucket {bucket}",
        "NoSuchKey": f"the bucket {bucket} has no object {key}",
        "404": f"there is no object {key} in a bucket {bucket}",
        "AccessDenied": "these AWS credentials have no permission to read it",
        "403": "these AWS credentials have no permission to read it",
        "InvalidAccessKeyId": "S3 does not know this AWS access key ID",
        "SignatureDoesNotMatch": "the AWS secret access key does not match the access key ID",
        "ExpiredToken": "the AWS session has expired",
    }
    reason = reasons.get(code, f"S3 returned {code}")
    raise CatalogueError(f"cannot read {location}: {reason}. Check the name and the credentials") from None


def _raise_unreachable(error: Exception, location: str, settings: Settings) -> NoReturn:
    """Raise the error for a request that was not sent or got no response."""
    from botocore import exceptions as aws

    if isinstance(error, (aws.NoCredentialsError, aws.PartialCredentialsError, aws.ProfileNotFound)):
        raise CatalogueError(
            f"cannot read {location}: no AWS credentials. Write aws_access_key_id=... and aws_secret_access_key=... "
            f"into {settings.config_file}, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ) from None
    if isinstance(error, aws.ParamValidationError):
        raise CatalogueError(f"{location} is not a name that S3 allows. Write s3://bucket/key") from None
    if isinstance(error, (aws.HTTPClientError, aws.IncompleteReadError)):
        raise CatalogueError(
            f"cannot read {location}: no complete response from {_endpoint(settings)} ({type(error).__name__}). "
            "Check the network, or set IMAGE_SIMILARITY_S3_ENDPOINT"
        ) from None
    raise CatalogueError(
        f"cannot read {location}: {type(error).__name__} at {_endpoint(settings)}. Check the AWS settings"
    ) from None


def _endpoint(settings: Settings) -> str:
    """The endpoint without any user name and password."""
    return re.sub(r"//.*@", "//", settings.s3_endpoint or "Amazon S3")
