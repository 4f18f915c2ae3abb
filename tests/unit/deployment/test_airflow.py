"""Whether Airflow has read the DAG files of a deployment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from contactsync.deployment.airflow import DAG_SECONDS, Health
from contactsync.errors import AirflowRefusedError, EnvironmentUnhealthyError, ServiceUnavailableError
from tests.support.fakes.deployment import FakeDeployedAirflow, FakeScreen
from tests.support.fakes.surroundings import FakeClock

ENVIRONMENT = "contactsync-dev-airflow"


@dataclass
class StartingAirflow(FakeDeployedAirflow):
    """An Airflow that does not answer at first, and then has no DAGs for a while."""

    clock: FakeClock = field(default_factory=FakeClock)
    answers_after: float = 0.0
    reads_after: float = 0.0

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, parameters: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Answer as an Airflow that has just been started."""
        if self.clock.monotonic() < self.answers_after:
            raise ServiceUnavailableError("InvokeRestApi", "InternalServerException")
        if path.startswith("/dags/") and self.clock.monotonic() < self.reads_after:
            raise AirflowRefusedError(f"{method} {path}", 404, "Not Found")
        return super().call(method, path, body, parameters=parameters)


def checked(airflow: StartingAirflow) -> FakeScreen:
    """Wait until the DAG files are read, and return what was shown meanwhile."""
    screen = FakeScreen()
    Health(lambda _: airflow, screen, airflow.clock).check_dags(ENVIRONMENT)
    return screen


def test_read_at_once() -> None:
    """Where Airflow has both DAGs, nobody waits."""
    airflow = StartingAirflow()
    assert checked(airflow).lines == []
    assert airflow.clock.slept == []


def test_waits() -> None:
    """A web server that was replaced is waited for, and DAG files that are not read yet, and both are shown."""
    airflow = StartingAirflow(answers_after=40, reads_after=100)
    first, *_, last = checked(airflow).lines
    assert "Airflow does not answer yet" in first
    assert "contact_sync is not there yet, contact_housekeeping is not there yet" in last
    assert airflow.clock.monotonic() < DAG_SECONDS


@pytest.mark.parametrize(
    ("airflow", "problem"),
    [
        (StartingAirflow(answers_after=10_000), "Airflow does not answer yet"),
        (StartingAirflow(reads_after=10_000), "contact_housekeeping is not there yet"),
    ],
)
def test_never(airflow: StartingAirflow, problem: str) -> None:
    """After ten minutes the command says that all is deployed, and what is not there; a slow call counts, too."""
    with pytest.raises(EnvironmentUnhealthyError, match=problem) as caught:
        checked(airflow)
    assert "Everything is deployed" in str(caught.value)
    assert DAG_SECONDS <= airflow.clock.monotonic() < DAG_SECONDS + 60


def test_import_errors() -> None:
    """Files that cannot be imported are named at once, with the last line of the trace."""
    airflow = StartingAirflow(import_errors=[{"filename": "a.py", "stack_trace": "Traceback\nImportError: no b\n"}])
    with pytest.raises(EnvironmentUnhealthyError, match=r"a\.py: ImportError: no b"):
        checked(airflow)
    assert airflow.clock.slept == []
