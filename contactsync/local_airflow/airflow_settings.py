"""The settings of the local Airflow, as data: what makes it behave like Amazon MWAA, quickly, on one small machine."""

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from contactsync.isolation import is_foreign

USERNAME = "admin"
TRIGGER_USERNAME = "assumed-role/contactsync-local-trigger"
"""The user that MWAA would create for the trigger function's role; nobody signs in with it."""


class Database(StrEnum):
    """The database in which the local Airflow keeps its state."""

    POSTGRESQL = "postgresql"
    SQLITE = "sqlite"


_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "core": {
        "executor": "LocalExecutor",
        "auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "simple_auth_manager_users": f"{USERNAME}:admin,{TRIGGER_USERNAME}:user",
        "load_examples": "False",
        "dags_are_paused_at_creation": "False",  # here every DAG is meant to run
        "max_map_length": "10000",  # one mapped task per member account; Airflow's own limit is 1,024
        "max_active_tasks_per_dag": "1000",  # parallelism alone limits how many run
        "default_pool_task_slot_count": "1000",
        "min_serialized_dag_update_interval": "0",  # a changed DAG file is used at once
        "dagbag_import_error_traceback_depth": "10",
        "hostname_callable": "socket.gethostname",  # the default asks DNS, which a laptop without a network waits for
        "killed_task_cleanup_time": "5",
    },
    "database": {
        "check_migrations": "False",  # start() has just migrated the database; each component would check it again
        "sql_alchemy_pool_size": "20",  # the API server answers each request in a thread with a connection
        "sql_alchemy_max_overflow": "40",
    },
    "scheduler": {
        "enable_health_check": "False",  # it is a server on port 8974, which nobody calls
        "scheduler_idle_sleep_time": "0.2",  # seconds until the scheduler sees that a task has ended
        "job_heartbeat_sec": "2",
        "scheduler_heartbeat_sec": "2",
        "scheduler_health_check_threshold": "20",
        # A task whose supervisor was killed is noticed after the timeout and one detection interval.
        "task_instance_heartbeat_timeout": "20",
        "task_instance_heartbeat_timeout_detection_interval": "5",
        "orphaned_tasks_check_interval": "15",
        "task_queued_timeout": "120",
        "task_queued_timeout_check_interval": "20",
        "parsing_cleanup_interval": "10",
        "use_job_schedule": "True",
    },
    "workers": {
        # A supervisor that misses the end of its task keeps the slot, and looks again only after this many seconds.
        "min_heartbeat_interval": "1",
        "execution_api_timeout": "30",  # two cores with many tasks answer later than a server does
        "execution_api_retry_wait_min": "0.2",
        "execution_api_retry_wait_max": "5",
        "missing_dag_retry_delay": "2",
    },
    "dag_processor": {
        "refresh_interval": "2",  # seconds until new files are found
        "min_file_process_interval": "30",  # for unchanged files; a changed one is read at the next refresh
        "bundle_refresh_check_interval": "1",
        "parsing_processes": "1",
        "print_stats_interval": "0",
    },
    "api": {
        "host": "127.0.0.1",
        "workers": "1",
        "expose_config": "True",
        "expose_stacktrace": "True",
        "maximum_page_limit": "1000",
        "auto_refresh_interval": "2",
        "instance_name": "contactsync sandbox",
        "worker_timeout": "10",
    },
    "triggerer": {"job_heartbeat_sec": "2", "capacity": "100"},
    "execution_api": {"jwt_expiration_time": "86400"},  # as in MWAA: a waiting task keeps its token
    "state_store": {"default_retention_days": "30"},
    "logging": {"colored_console_log": "False", "logging_level": "INFO"},
    "metrics": {"statsd_on": "False", "otel_on": "False"},
    "traces": {"otel_on": "False"},
    "lineage": {"max_assets_per_collector": "1"},
}

# Variables of the starting process that Airflow never gets, beside AWS credentials and proxies (`is_foreign`): those of
# a developer's Airflow, and what PostgreSQL's client library reads.
_DROPPED_PREFIXES = ("AIRFLOW", "CONTACTSYNC_", "OTEL_", "PG", "STATSD_")


@dataclass(frozen=True)
class AirflowPlace:
    """The directories and the port of one local Airflow, and how many tasks it runs at a time."""

    home: Path
    dags: Path
    plugins: Path
    port: int
    parallelism: int

    @property
    def base_url(self) -> str:
        """The address of the UI and the REST API, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def password_file(self) -> Path:
        """The JSON file with the password of each user of the UI and the REST API."""
        return self.home / "simple_auth_manager_passwords.json"

    @property
    def component_logs(self) -> Path:
        """The directory with what each component wrote, one file per component."""
        return self.home / "components"


def airflow_environment(place: AirflowPlace, database: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for all processes of the local Airflow; `extra` overrides everything else.

    `database` has the options of Airflow's section `database` that say where the database is.
    """
    inherited = {name: value for name, value in os.environ.items() if _inherited(name)}
    package_parent = Path(__file__).resolve().parents[2]
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(package_parent), inherited.get("PYTHONPATH")])),
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "NO_COLOR": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AIRFLOW_HOME": str(place.home),
        **_names(_SETTINGS),
        **_names(_place_settings(place)),
        **_names({"database": database}),
        **_names(fixed_secrets(place.home)),
        **extra,
    }


def sqlite_options(home: Path) -> Mapping[str, str]:
    """Return the options of section `database` for a file in the home directory.

    SQLite has one writer at a time, so others wait up to 60 seconds. Airflow itself switches on the write-ahead log.
    """
    return {"sql_alchemy_conn": f"sqlite:///{home}/airflow.db?timeout=60"}


def fixed_secrets(home: Path) -> Mapping[str, Mapping[str, str]]:
    """Return the keys of this home, made on first use, so that sessions and encrypted values survive a restart."""
    file = home / "secrets.json"
    if not file.exists():
        keys = {
            "core": {"fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()},
            "api": {"secret_key": secrets.token_urlsafe(32)},
            "api_auth": {"jwt_secret": secrets.token_urlsafe(64)},
        }
        write_private(file, json.dumps(keys))
    loaded: Mapping[str, Mapping[str, str]] = json.loads(file.read_text(encoding="utf-8"))
    return loaded


def user_password(place: AirflowPlace, username: str = USERNAME) -> str:
    """Return a user's password, made on first use and kept in the home directory."""
    known = json.loads(place.password_file.read_text(encoding="utf-8")) if place.password_file.exists() else {}
    missing = {name: secrets.token_urlsafe(12) for name in (USERNAME, TRIGGER_USERNAME) if name not in known}
    if missing:
        write_private(place.password_file, json.dumps({**known, **missing}))
    return str({**known, **missing}[username])


def write_private(file: Path, text: str) -> None:
    """Write a file that only this user can read."""
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")


def _place_settings(place: AirflowPlace) -> Mapping[str, Mapping[str, str]]:
    return {
        "core": {
            "dags_folder": str(place.dags),
            "plugins_folder": str(place.plugins),
            "parallelism": str(place.parallelism),
            "simple_auth_manager_passwords_file": str(place.password_file),
            "execution_api_server_url": f"{place.base_url}/execution/",
        },
        "scheduler": {"max_tis_per_query": str(place.parallelism)},
        "api": {"base_url": place.base_url, "port": str(place.port)},
        "logging": {
            "base_log_folder": str(place.home / "logs"),
            "dag_processor_child_process_log_directory": str(place.home / "logs" / "dag_processor"),
        },
    }


def _names(settings: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {
        f"AIRFLOW__{section.upper()}__{key.upper()}": value
        for section, options in settings.items()
        for key, value in options.items()
    }


def _inherited(name: str) -> bool:
    return not (is_foreign(name) or name.startswith(_DROPPED_PREFIXES) or name == "PYTHONIOENCODING")
