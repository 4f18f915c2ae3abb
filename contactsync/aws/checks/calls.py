"""Calls of any service in any region, for checks that make each of them once."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from botocore import xform_name

from contactsync.aws.sdk.error_codes import translated

ClientOf = Callable[[str, str], Any]
"""A function that returns the client of a service in a region."""


class Calls:
    """The calls, with errors of ours."""

    def __init__(self, client_of: ClientOf) -> None:
        self._client_of = cache(client_of)

    def call(self, service: str, region: str, operation: str, **parameters: Any) -> Any:  # noqa: ANN401 -- boto3's shapes
        """Return AWS's answer to a call by its API's name."""
        client = self._client_of(service, region)
        with translated(operation):
            return getattr(client, xform_name(operation))(**parameters)

    def pages(self, service: str, region: str, operation: str, key: str, **parameters: Any) -> Iterator[Any]:  # noqa: ANN401 -- boto3's shapes
        """Yield the elements under `key` of all pages of a listing."""
        paginator = self._client_of(service, region).get_paginator(xform_name(operation))
        with translated(operation):
            for page in paginator.paginate(**parameters):
                yield from page.get(key) or ()
