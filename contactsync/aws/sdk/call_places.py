"""What boto3's clients know about a call that failed, kept for the code that translates its error."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from traceback import walk_tb
from typing import Any, Final
from urllib.parse import urlsplit

from botocore import parsers
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

_ATTRIBUTE: Final = "contactsync_place"
_CALL: Final = "contactsync_call"
_FOREIGN: Final = "the answer is not AWS's"
_NO_CODES: Final = frozenset({"", "Unknown"})
"""What botocore returns as the code, beside the status, when the answer has none."""
_READER: Final = "_do_get_response"
"""Botocore's function that reads an answer after it was parsed."""
_HOOK: Final = "creating-client-class"


@dataclass(frozen=True)
class Place:
    """Where a call was sent; the names are those of AwsCallError's fields."""

    service: str | None = None
    region: str | None = None
    endpoint: str | None = None


class UnforeseenSdkError(BotoCoreError):
    """Raised when a call raises what botocore does not document, such as a ValueError about a URL; see `__cause__`."""

    fmt = "the AWS SDK failed"


class PlacedCalls:
    """A class put before a client's own, which adds to each error of a call where it was sent.

    An answer that is not from AWS, such as that of a proxy or of a network that asks for a sign-in, is an error of the
    call.
    """

    meta: Any

    def _make_api_call(self, operation_name: str, api_params: Any) -> Any:  # noqa: ANN401 -- botocore's own
        parent: Any = super()
        try:
            return _of_aws(partial(parent._make_api_call, operation_name, api_params))  # noqa: SLF001 -- the one way of every call; boto3 documents this hook for such classes
        except (BotoCoreError, ClientError) as error:
            _note(error, operation_name, self.meta)
            raise
        except Exception as error:
            unforeseen = UnforeseenSdkError()
            _note(unforeseen, operation_name, self.meta)
            raise unforeseen from error


def _of_aws(call: Callable[[], Any]) -> Any:  # noqa: ANN401 -- botocore's own
    """Make a call; raise ResponseParserError for an answer without the request id that all answers of AWS have."""
    try:
        answer = call()
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if (code.isdecimal() or code in _NO_CODES) and not _has_id(error.response):
            raise ResponseParserError(_FOREIGN) from None
        raise
    except BotoCoreError:
        raise
    except Exception as error:
        if _is_of_parser(error):
            raise ResponseParserError(_FOREIGN) from None
        raise
    if not _has_id(answer):
        raise ResponseParserError(_FOREIGN)
    return answer


def _is_of_parser(error: Exception) -> bool:
    """Return whether reading the answer failed, not the call before it: its JSON may be no object, or too deep."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    return frames[-1].f_code.co_name == _READER or any(
        frame.f_globals.get("__name__") == parsers.__name__ for frame in frames
    )


def _has_id(answer: Any) -> bool:  # noqa: ANN401 -- botocore's own
    return bool(answer.get("ResponseMetadata", {}).get("RequestId"))


def place_of(error: BaseException) -> Place:
    """Return where the call was sent, as far as it is known."""
    place: Place = getattr(error, _ATTRIBUTE, Place())
    return place


def call_of(error: BaseException) -> str | None:
    """Return the API's name of the call; when botocore called for credentials inside of it, the name of that call."""
    call: str | None = getattr(error, _CALL, None)
    return call


def note_places(session: Any) -> None:  # noqa: ANN401 -- botocore's session
    """Make every client of a botocore session record where its calls are sent."""
    session.register(_HOOK, _add_class)


def _add_class(base_classes: list[type], **_: object) -> None:
    if PlacedCalls not in base_classes:
        base_classes.insert(0, PlacedCalls)


def _note(error: Exception, call: str, meta: Any) -> None:  # noqa: ANN401 -- botocore's
    """Record the call and its place, unless an inner call, which gets the credentials, has recorded its own."""
    if not hasattr(error, _ATTRIBUTE):
        place = Place(meta.service_model.service_name, meta.region_name, _shown(meta.endpoint_url))
        setattr(error, _ATTRIBUTE, place)
        setattr(error, _CALL, call)


def _shown(url: str) -> str:
    """Return a URL without the password that may be in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
