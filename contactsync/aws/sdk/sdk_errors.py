"""The AWS SDK's own errors, raised before or instead of an answer of AWS, as contactsync's errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from botocore import exceptions
from botocore.exceptions import (
    BotoCoreError,
    ConfigParseError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    InvalidRegionError,
    MetadataRetrievalError,
    ParamValidationError,
    ProfileNotFound,
    ProxyConnectionError,
    SSLError,
    ValidationError,
)
from botocore.parsers import ResponseParserError

from contactsync.aws.sdk.call_places import UnforeseenSdkError, call_of, place_of
from contactsync.aws.sdk.sdk_settings import places_of, region_places, role_places
from contactsync.errors import (
    AwsCallError,
    AwsSetupError,
    ContactSyncError,
    CredentialsExpiredError,
    CredentialsMissingError,
    CredentialsUnreachableError,
    RequestInvalidError,
    ServiceUnavailableError,
)
from contactsync.errors.aws.codes import CODES, MEANINGS, Meaning
from contactsync.errors.aws.services import name_of
from contactsync.errors.kinds import kinds


def _named(meaning: Meaning) -> tuple[type[BotoCoreError], ...]:
    """Return botocore's exceptions for a meaning, by the names in the list of codes."""
    found = (getattr(exceptions, name, None) for name in CODES[meaning].split())
    return tuple(kind for kind in found if kind is not None)


NO_CREDENTIALS: Final = _named(Meaning.NO_CREDENTIALS)
WRONG_SETUP: Final = _named(Meaning.SETUP)
WRONG_REQUEST: Final = (ParamValidationError, ValidationError)
NEVER_SENT: Final = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError)
"""Failures to connect: after them no call can be on its way."""
PROCESS: Final = "custom-process"
LIVE_PROVIDERS: Final = frozenset({"container-role", "iam-role"})
"""Sources of credentials that are called over a network, and may answer the next time."""
STILL_EXPIRED: Final = "refreshed credentials are still expired"
SIGNING_CALLS: Final = frozenset(
    {"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "GetRoleCredentials", "CreateToken"}
)
"""Calls that botocore makes inside of another one, to get the credentials that sign it."""
UNTRUSTED: Final = ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER", "No such file", "NO_CERTIFICATE", "PEM lib")
"""What an SSL library says when settings are wrong, not the network."""


@contextmanager
def making(service: str) -> Iterator[None]:
    """Raise contactsync's error for any error while a session or a service's client is made.

    Botocore then reads variables, files and a credential process, and does not catch what their parsers raise.
    """
    name = name_of(service)
    try:
        yield
    except ContactSyncError:
        raise
    except BotoCoreError as error:
        raise translate_sdk(error, name, service=service) from None
    except Exception as error:  # noqa: BLE001 -- a boundary: see the docstring
        raise _wrong_setup(error, name, None, service) from None


def translate_sdk(
    error: BotoCoreError, api_operation: str, account_id: str | None = None, service: str | None = None
) -> AwsCallError:
    """Return contactsync's error for one of the SDK's own; an unknown one counts as temporary."""
    place, inner = place_of(error), call_of(error)
    if inner in SIGNING_CALLS - {api_operation}:
        api_operation, account_id = inner, None
    if cause := _cause_in_setup(error):
        return _wrong_setup(cause, api_operation, account_id, service or place.service)
    facts: dict[str, Any] = {"api_operation": api_operation, "account_id": account_id, "aws_code": _name_of(error)}
    facts |= vars(place)
    if _is_expired(error):
        return CredentialsExpiredError(**{**facts, "aws_code": "ExpiredToken"})
    if isinstance(error, MetadataRetrievalError) or _provider_of(error) in LIVE_PROVIDERS:
        return CredentialsUnreachableError(**{**facts, "aws_code": _name_of_silence(error)})
    if isinstance(error, NO_CREDENTIALS):
        return CredentialsMissingError(**{**facts, "aws_code": "NoCredentials"})
    if isinstance(error, WRONG_REQUEST):
        return RequestInvalidError(**facts)
    kind = kinds().get(MEANINGS.get(facts["aws_code"], Meaning.UNAVAILABLE), ServiceUnavailableError)
    kind = kind if issubclass(kind, ServiceUnavailableError) else ServiceUnavailableError
    return kind(**facts, answered=isinstance(error, NEVER_SENT))


def _cause_in_setup(error: BotoCoreError) -> BaseException | None:
    """Return the error in this machine's setup that made the call fail; None when the setup is not the cause."""
    if isinstance(error, WRONG_SETUP) or _provider_of(error) == PROCESS:
        return error
    if isinstance(error, WRONG_REQUEST) and call_of(error) in SIGNING_CALLS:
        return error
    if isinstance(error, UnforeseenSdkError):
        passing = isinstance(error.__cause__, ResponseParserError) or _is_expired(error)
        return None if passing else error.__cause__
    if isinstance(error, SSLError):
        return error if any(words in str(error) for words in UNTRUSTED) else None
    inner = _keywords(error).get("error") if isinstance(error, HTTPClientError) else None
    # A URL or a header with characters that it cannot have, or a file of certificates that cannot be read.
    return inner if isinstance(inner, (ValueError, FileNotFoundError, IsADirectoryError, PermissionError)) else None


def _is_expired(error: BotoCoreError) -> bool:
    """Return whether a source of credentials, such as a process, returned expired ones."""
    return isinstance(error.__cause__, RuntimeError) and STILL_EXPIRED in str(error.__cause__)


def _name_of(error: BotoCoreError) -> str:
    cause = error.__cause__ if isinstance(error, UnforeseenSdkError) else None
    return "ParamValidation" if isinstance(error, ParamValidationError) else type(cause or error).__name__


def _name_of_silence(error: BotoCoreError) -> str:
    """Return a name that does not also mean missing credentials."""
    return "CredentialsUnreachable" if isinstance(error, CredentialRetrievalError) else _name_of(error)


def _provider_of(error: BaseException) -> str | None:
    found = _keywords(error).get("provider") if isinstance(error, CredentialRetrievalError) else None
    return str(found) if found is not None else None


def _keywords(error: BaseException) -> dict[str, Any]:
    found: dict[str, Any] = getattr(error, "kwargs", {})
    return found


def _wrong_setup(
    error: BaseException, api_operation: str, account_id: str | None, service: str | None
) -> AwsSetupError:
    places = _places(error, service)
    about_urls = all("URL" in place or "proxy" in place.lower() for place in places)
    is_url = isinstance(error, ValueError) and not isinstance(error, UnicodeDecodeError) and about_urls
    return AwsSetupError(
        api_operation=api_operation,
        account_id=account_id,
        aws_code=type(error).__name__,
        service=service,
        problem="the address is not a URL such as https://host:443" if is_url else _problem(error),
        places=places,
    )


def _places(error: BaseException, service: str | None) -> tuple[str, ...]:
    if isinstance(error, InvalidRegionError):
        return region_places()
    return role_places() if isinstance(error, WRONG_REQUEST) else places_of(error, service)


def _problem(error: BaseException) -> str:
    """Return the problem in one line, without what may hold a secret: a URL, or a process's output."""
    found = _keywords(error)
    known: dict[type[BaseException], str] = {
        ProfileNotFound: f"there is no AWS profile {found.get('profile')!r}",
        ConfigParseError: f"{found.get('path')} is not a configuration file of the AWS SDK",
        InvalidRegionError: f"{found.get('region_name')!r} is not the name of a region",
        SSLError: "the TLS certificate of the endpoint is not trusted, or it does not speak TLS",
        CredentialRetrievalError: "the credential process failed; run it by hand",
        ParamValidationError: "the role or its web identity token does not have the form that AWS STS accepts",
        EOFError: "the AWS profile asks for an MFA code, and there is no terminal for the question; sign in first",
        BotoCoreError: " ".join(str(error).split()).rstrip("."),
        OSError: f"{getattr(error, 'filename', None) or 'a file'}: {getattr(error, 'strerror', None)}",
        Exception: f"the AWS SDK cannot read its settings or credentials ({type(error).__name__})",
    }
    return next(text for kind, text in known.items() if isinstance(error, kind))
