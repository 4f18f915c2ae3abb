"""The environment of the local Airflow's processes."""

from pathlib import Path

import pytest

from contactsync.local_airflow.airflow_settings import AirflowPlace, airflow_environment, sqlite_options


@pytest.mark.parametrize(
    "name", ["PGOPTIONS", "PGSSLMODE", "PGSERVICE", "AIRFLOW__CORE__PARALLELISM", "AWS_PROFILE", "HTTPS_PROXY"]
)
def test_callers_settings_stay_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What the caller has set for another PostgreSQL, Airflow or AWS, or a proxy, does not reach it."""
    monkeypatch.setenv(name, "the caller's")
    place = AirflowPlace(tmp_path, tmp_path, tmp_path, port=1, parallelism=8)
    assert "the caller's" not in airflow_environment(place, {}, {}).values()


def test_database(tmp_path: Path) -> None:
    """The database's options are there, and what the caller of the local Airflow gives wins over them."""
    place = AirflowPlace(tmp_path, tmp_path, tmp_path, port=1, parallelism=8)
    name = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
    assert (
        airflow_environment(place, sqlite_options(tmp_path), {})[name] == f"sqlite:///{tmp_path}/airflow.db?timeout=60"
    )
    assert airflow_environment(place, {"sql_alchemy_conn": "a"}, {name: "b"})[name] == "b"
