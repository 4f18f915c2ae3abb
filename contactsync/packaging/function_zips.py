"""The zips of the Lambda functions: which function is in which, and what is left out because none of it is used."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contactsync.lambdas.airflow_runs import SERVICE
from contactsync.packaging.clone import Sources
from contactsync.packaging.imports import needed_files, top_level_names
from contactsync.packaging.reproducible_zip import read_zip
from contactsync.services.functions.environment import FUNCTION_SERVICES

HANDLERS: Final = "contactsync/lambdas/"

LIBRARIES: Final = re.compile(r"[^/]+\.data/(?:pure|plat)lib/")
"""Where wheels put what is installed beside everything else."""

UNUSED: Final = re.compile(
    r"[^/]+\.data/|.+\.dist-info/RECORD\Z|.+\.pyi\Z|boto3/examples/|botocore/data/.+/examples-1\.json"
    r"|aws_lambda_powertools/event_handler/openapi/swagger_ui/"
)
"""What no function reads: scripts, the record of an installation, examples, and a page for browsers."""

MODELS: Final = re.compile(r"(?:botocore|boto3)/data/([^/]+)/")
"""The folder of a service in the data of the AWS SDK; what lies beside these folders is needed by every client."""


@dataclass(frozen=True)
class FunctionZip:
    """One zip, for one function or for several that need the same."""

    name: str
    lock: str
    """The name of the lock file in requirements/."""
    services: tuple[str, ...]
    """The AWS services that its functions call."""
    only: str = ""
    """The module of its one function; empty for the zip of all functions that have none of their own."""

    def handlers(self, sources: Sources) -> frozenset[str]:
        """Return the modules of its functions: those of `lambdas` that have a handler."""
        found = (path for path in sources if path.startswith(HANDLERS) and path.endswith(".py"))
        modules = {_module(path) for path in found if "handler" in top_level_names(sources[path], path)}
        return frozenset(modules & {self.only} if self.only else modules - {zipped.only for zipped in ZIPS})

    def content(self, sources: Sources, wheels: Iterable[Path]) -> dict[str, bytes]:
        """Return the files of the zip by their names."""
        ours = {path: sources[path] for path in needed_files(self.handlers(sources), sources)}
        entries = dict(self._libraries(wheels))
        return {**entries, **ours}

    def _libraries(self, wheels: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
        for wheel in wheels:
            yield from self._used(read_zip(wheel))

    def _used(self, entries: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
        for packed, content in entries.items():
            name = LIBRARIES.sub("", packed)
            of_service = MODELS.match(name)
            if not UNUSED.match(name) and (of_service is None or of_service[1] in self.services):
                yield name, content


SUBSCRIBERS_ZIP: Final = FunctionZip("lambda-subscribers.zip", "lambda-subscribers.txt", FUNCTION_SERVICES)
TRIGGER_ZIP: Final = FunctionZip(
    "lambda-trigger.zip", "lambda-trigger.txt", (SERVICE,), only="contactsync.lambdas.trigger"
)
ZIPS: Final = (SUBSCRIBERS_ZIP, TRIGGER_ZIP)
"""All zips. The wheels of the first one include those of the second, for which nothing is downloaded then."""


def _module(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")
