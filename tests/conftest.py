"""What holds for every test: no network, no AWS environment of anyone, Hypothesis' settings, --long and --soak."""

import gc
import ipaddress
import os
import socket
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "contactsync",
    max_examples=100,
    deadline=None,
    print_blob=True,
    derandomize=bool(os.environ.get("CI")),
    # Two cores shared with other processes make data generation slow at times; that is no finding.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("contactsync")

FOREIGN_PREFIXES = ("AWS_", "BOTO_", "CONTACTSYNC_", "AIRFLOW__CONTACTSYNC__", "POWERTOOLS_")
LOOPBACK_NAMES = {"", "localhost", "0.0.0.0", "::"}  # noqa: S104 -- names that are looked up, nothing is bound


class NetworkUsedError(Exception):
    """A test tried to leave this machine."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --long and --soak."""
    parser.addoption("--long", action="store_true", help="also run the tests that are marked `long`")
    parser.addoption("--soak", action="store_true", help="also run the tests that are marked `soak`")


def pytest_configure(config: pytest.Config) -> None:
    """Isolate the whole process, collection and session fixtures included."""
    _forget_aws()
    _place_airflow(config)
    _guard_network(config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the end-to-end tests last, and deselect what is marked `long` or `soak` unless its option is given.

    They share one sandbox until the session ends, and a process runs one sandbox at a time. Among them the file that
    may take longest comes first, so that all processes end at about the same time.
    """
    longest: dict[object, float] = defaultdict(float)
    for item in items:
        mark = item.get_closest_marker("timeout")
        longest[item.path] = max(longest[item.path], mark.args[0] if mark and "e2e" in item.path.parts else 0)
    items.sort(key=lambda item: ("e2e" in item.path.parts, -longest[item.path]))
    unwanted = [marker for marker in ("long", "soak") if not config.getoption(f"--{marker}")]
    late = [item for item in items if any(item.get_closest_marker(marker) for marker in unwanted)]
    if late:
        config.hook.pytest_deselected(items=late)
        items[:] = [item for item in items if item not in set(late)]


def _forget_aws() -> None:
    """Drop the caller's credentials, endpoints and settings, and keep botocore from looking for others."""
    for name in [name for name in os.environ if name.startswith(FOREIGN_PREFIXES)]:
        del os.environ[name]
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1", "localhost", "::1"]))


def _place_airflow(config: pytest.Config) -> None:
    """Let Airflow, which writes to its home when it is imported, find an empty one and no settings of the caller's."""
    for name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
        del os.environ[name]
    home = tempfile.TemporaryDirectory(prefix="contactsync-airflow-", ignore_cleanup_errors=True)
    config.add_cleanup(home.cleanup)
    os.environ["AIRFLOW_HOME"] = home.name


def _guard_network(config: pytest.Config) -> None:
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    plain_connect, plain_connect_ex, plain_lookup = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def connect(self: socket.socket, address: Any) -> None:
        _check(self.family, address)
        plain_connect(self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        _check(self.family, address)
        return plain_connect_ex(self, address)

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_local(host):
            raise NetworkUsedError(f"look-up of {host!r}")
        return plain_lookup(host, *args, **kwargs)

    patch.setattr(socket.socket, "connect", connect)
    patch.setattr(socket.socket, "connect_ex", connect_ex)
    patch.setattr(socket, "getaddrinfo", getaddrinfo)


def _check(family: int, address: Any) -> None:
    if family in (socket.AF_INET, socket.AF_INET6) and not is_local(address[0]):
        raise NetworkUsedError(f"connection to {address[0]!r}")


def is_local(host: Any) -> bool:
    """Tell whether a host name or address stays on this machine."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name is None or name in LOOPBACK_NAMES or name == socket.gethostname():
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _forget_session() -> None:
    """Make boto3 read the environment again: its default session remembers the configuration file of another test."""
    if "boto3" in sys.modules:
        sys.modules["boto3"].DEFAULT_SESSION = None


@pytest.fixture(scope="module", autouse=True)
def _module_of_its_own() -> None:
    """Let fixtures of a module make sessions from the environment that they set."""
    _forget_session()


@pytest.fixture(autouse=True)
def _same_environment() -> Iterator[None]:
    """Give every test the environment that the one before it found."""
    _forget_session()
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        # pytest keeps the running test's name there and removes it itself.
        if name != "PYTEST_CURRENT_TEST":
            del os.environ[name]
    os.environ.update({name: value for name, value in before.items() if name != "PYTEST_CURRENT_TEST"})


@pytest.fixture
def _deep_nesting() -> Iterator[None]:
    """Collect no garbage during a test whose input exhausts the stack: finalizers that run down there fail."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
