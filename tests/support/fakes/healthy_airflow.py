"""An Airflow whose DAGs run and can be looked at, as `contactsync validate` does."""

from datetime import UTC, datetime, timedelta
from typing import Any

from contactsync.runs.runs import Json
from tests.support.fakes.airflow import FakeAirflow

HOUSEKEEPING = "/dags/contact_housekeeping"


class HealthyAirflow(FakeAirflow):
    """Beside contact_sync it has housekeeping, which ran two minutes ago, and no import error."""

    def __init__(self, now: datetime | None = None) -> None:
        """Begin with everything right; `now` is the present by default."""
        super().__init__()
        self.import_errors: list[Json] = []
        self.plugin_errors: list[Json] = []
        self.housekeeping_paused = False
        self.housekept: Json | None = {
            "dag_run_id": "scheduled__1",
            "run_after": ((now or datetime.now(UTC)) - timedelta(minutes=2)).isoformat().replace("+00:00", "Z"),
            "state": "success",
        }
        self.version: str | None = "0.1.0"

    def answer(self, method: str, path: str, body: Json, parameters: Json) -> tuple[int, Json]:
        """Return the status and the document for a request."""
        said = f"### Contact housekeeping\n\nVersion of contactsync: {self.version}\n" if self.version else "### DAG"
        runs = [self.housekept] if self.housekept else []
        routes: dict[tuple[str, str], Any] = {
            ("GET", "/importErrors"): _listed("import_errors", self.import_errors),
            ("GET", "/plugins/importErrors"): _listed("import_errors", self.plugin_errors),
            ("GET", HOUSEKEEPING): {"dag_id": "contact_housekeeping", "is_paused": self.housekeeping_paused},
            ("GET", f"{HOUSEKEEPING}/details"): {"dag_id": "contact_housekeeping", "doc_md": said},
            ("GET", f"{HOUSEKEEPING}/dagRuns"): _listed("dag_runs", runs),
        }
        if (method, path) in routes:
            return 200, routes[method, path]
        return super().answer(method, path, body, parameters)


def _listed(key: str, entries: list[Json]) -> Json:
    return {key: entries, "total_entries": len(entries) if isinstance(entries, list) else 0}
