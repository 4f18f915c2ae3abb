"""Celery workers of an Airflow, each with a home, a folder for temporary files and a name that calls carry."""

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contactsync.local_airflow.airflow import LocalAirflow

READY_SECONDS: Final = 240.0
_USER_TIME, _SYSTEM_TIME, _CHILDREN_USER, _CHILDREN_SYSTEM = 11, 12, 13, 14  # of proc_pid_stat(5), after the name


@dataclass(frozen=True)
class Worker:
    """One worker, which is a component of an Airflow."""

    airflow: LocalAirflow
    name: str

    @classmethod
    def started(cls, airflow: LocalAirflow, name: str, variables: Mapping[str, str]) -> "Worker":
        """Start a worker with variables of its own."""
        home = airflow.home / name
        temporary = home / "tmp"
        temporary.mkdir(parents=True)
        # Without this file Airflow writes one with all its defaults.
        (home / "airflow.cfg").write_text("# All settings are in the environment.\n", encoding="utf-8")
        own = {
            "AIRFLOW_HOME": str(home),
            "TMPDIR": str(temporary),
            # Airflow stores the answer of this function with each task: it shows which worker ran it.
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "getpass.getuser",
            "LOGNAME": name,
            # botocore sends it with each call: the sandbox's log shows which worker made it.
            "AWS_SDK_UA_APP_ID": name,
        }
        airflow.start_component(name, ("celery", "worker", "--skip-serve-logs", "-H", name), {**own, **variables})
        return cls(airflow, name)

    def wait_until_ready(self) -> None:
        """Wait until it takes tasks."""
        deadline = time.monotonic() + READY_SECONDS
        while f"{self.name} ready" not in self.airflow.component_log(self.name):
            self.airflow.check()
            assert time.monotonic() < deadline, self.airflow.component_log(self.name)[-3000:]
            time.sleep(0.2)

    def processes(self) -> list[int]:
        """List the ids of all its processes, with those of its tasks."""
        return self.airflow.component_processes(self.name)

    def cpu_seconds(self) -> float:
        """Return the processor time that all its processes have used so far, and those that have ended."""
        return cpu_seconds(self.processes())

    def kill(self) -> None:
        """Kill it with everything that it started."""
        self.airflow.kill_component(self.name)


def cpu_seconds(processes: Iterable[int]) -> float:
    """Return the processor time of processes, and of their children that have ended."""
    return sum(map(_cpu_seconds, processes))


def _cpu_seconds(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    ticks = sum(int(stat[field]) for field in (_USER_TIME, _SYSTEM_TIME, _CHILDREN_USER, _CHILDREN_SYSTEM))
    return ticks / os.sysconf("SC_CLK_TCK")
