"""The program that looks at functions: imports each handler, makes what it is made of, and prints what it saw.

It is started by path, with the folder of an unzipped zip (or nothing, for the modules of this environment) and names
of functions. It imports the standard library only, and then what the folder has.
"""

import importlib
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

ADDRESS = "https://sqs.eu-central-1.amazonaws.com/111122223333/letters"
SETTINGS = {
    "CONTACTSYNC_ENVIRONMENT": "test",
    "CONTACTSYNC_IDEMPOTENCY_TABLE": "once",
    "CONTACTSYNC_CLAIM_BUCKET": "claims",
    "CONTACTSYNC_DEAD_LETTERS_URL": ADDRESS,
    "CONTACTSYNC_AUDIT_TABLE": "audit",
    "CONTACTSYNC_CONFIG_TABLE": "config",
    "CONTACTSYNC_STATE_TABLE": "state",
    "CONTACTSYNC_NOTICES_TOPIC_ARN": "arn:aws:sns:eu-central-1:111122223333:notices",
    "CONTACTSYNC_EVENTS_TOPIC_ARN": "arn:aws:sns:eu-central-1:111122223333:events",
    "CONTACTSYNC_OPS_ITEMS": "true",
}


def main() -> None:
    """Probe the functions that the arguments name."""
    place, *functions = sys.argv[1:]
    if place:
        sys.path.insert(0, place)
    os.environ.update(SETTINGS)
    services = noted_services()
    handlers = []
    for function in functions:
        handlers.append(importlib.import_module(f"contactsync.lambdas.{function}").handler)
        {"trigger": make_trigger, "publisher": make_publisher}.get(function, make_subscriber)(function)
    for path in sorted(Path(place).rglob("contactsync/**/*.py")) if place else ():
        importlib.import_module(".".join(path.relative_to(place).with_suffix("").parts).removesuffix(".__init__"))
    files = [str(module.__file__) for module in list(sys.modules.values()) if getattr(module, "__file__", None)]
    print(json.dumps({"callable": all(map(callable, handlers)), "services": sorted(set(services)), "files": files}))  # noqa: T201 -- what the test reads


def noted_services() -> list[str]:
    """Return a list to which each service is added for which botocore makes a client from now on."""
    from botocore.session import Session

    services: list[str] = []
    plain = Session.create_client

    def create_client(self: Any, service_name: str, *args: Any, **options: Any) -> Any:
        services.append(service_name)
        return plain(self, service_name, *args, **options)

    Session.create_client = create_client
    return services


def make_trigger(function: str) -> None:
    """Make what starts runs."""
    runs = importlib.import_module(f"contactsync.lambdas.{function}").AirflowRuns("test", "eu-central-1")
    assert runs._client


def make_publisher(function: str) -> None:
    """Make what publishes."""
    importlib.import_module(f"contactsync.services.functions.{function}").outside_publisher()


def make_subscriber(function: str) -> None:
    """Make all parts of a subscriber, and of what handles its events also what is made at the first use."""
    room = "contactsync.services.functions"
    own, parts_of = importlib.import_module(f"{room}.{function}"), importlib.import_module(f"{room}.subscriber")
    made = {"audit": "audit_recorder", "notices": "notice_deliverer"}[function]
    handling = getattr(own, made)()
    for adapter in vars(handling).values() if function == "notices" else ():
        if hasattr(adapter, "_client_in"):
            adapter._client_in("eu-central-1")
    parts = parts_of.SubscriberParts.of(function, lambda: handling, own.NEEDS, logging.getLogger("probe"))
    assert parts.consumer
    assert parts.failures


main()
