"""Whether Airflow works: the environment, what it has installed, its DAGs, and its housekeeping."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from contactsync.checks.findings import Finding, failed, ok
from contactsync.checks.health_ports import AirflowEnvironments, AirflowState, Released, Releases
from contactsync.clock import Clock
from contactsync.errors import AirflowRefusedError
from contactsync.plain_text import one_line
from contactsync.runs.runs import AirflowRest, Json

ENVIRONMENT: Final = "environment"
REQUIREMENTS: Final = "requirements"
IMPORTS: Final = "imports"
DAGS: Final = "dags"
HOUSEKEEPING: Final = "housekeeping"
VERSION: Final = "version"

DAG_IDS: Final = ("contact_sync", "contact_housekeeping")
HOUSEKEEPING_DAG: Final = "contact_housekeeping"
LATELY: Final = timedelta(minutes=15)
"""Housekeeping starts every five minutes; after a restart of the scheduler one start may be missing."""

PARTS: Final = ("Scheduler", "Worker", "WebServer")
"""The parts of an environment that install requirements, as in the names of their log groups."""

AVAILABLE: Final = "AVAILABLE"
VERSION_LINE: Final = re.compile(r"^Version of contactsync: (?P<version>\S+)", re.ASCII | re.MULTILINE)
"""What the DAGs say in their documentation."""

_LENGTH: Final = 300
"""Characters of somebody else's words in a sentence."""
_PAGE: Final = 100
_NOT_FOUND: Final = 404
_PIP_ERROR: Final = re.compile(r"\bERROR\b|No matching distribution|timed out", re.ASCII)
_CONFLICT: Final = "pip's dependency resolver"
"""In a line of pip after an installation that succeeded, about packages of the image that do not fit each other."""


def check_environment(state: AirflowState | None, name: str) -> Finding:
    """Look at the environment's status and at how its last update ended."""
    if state is None:
        return failed(ENVIRONMENT, f"There is no MWAA environment {name}.", "Deploy again: contactsync deploy.")
    if state.status != AVAILABLE:
        return failed(
            ENVIRONMENT,
            f"Environment {name} is {state.status}, not available.",
            "If it is being updated, wait up to half an hour; otherwise see the stack's events, then deploy again.",
        )
    if state.last_update == "FAILED":
        reason = f" ({one_line(state.error, _LENGTH)})" if state.error else ""
        return failed(
            ENVIRONMENT,
            f"The last update of environment {name} failed{reason}; it runs as before.",
            "Deploy again when the cause is fixed.",
        )
    return ok(ENVIRONMENT, f"Environment {name} is available.")


def check_requirements(environments: AirflowEnvironments, region: str, name: str) -> Iterator[Finding]:
    """Look into the logs of pip: MWAA calls an environment available also when nothing could be installed."""
    logs = {part: environments.installation_log(region, name, part) for part in PARTS}
    wrong = {part: line for part, lines in logs.items() if (line := _complaint(lines or ()))}
    for part, line in wrong.items():
        yield failed(
            REQUIREMENTS,
            f"{part} could not install requirements.txt: {one_line(line, _LENGTH)}.",
            f"Read the newest stream requirements_install_* of log group airflow-{name}-{part}, and correct "
            "requirements.txt.",
        )
    kept = [part for part, lines in logs.items() if lines is not None]
    if not kept:
        yield ok(REQUIREMENTS, "No log of an installation is kept; whether it worked, the imports below say.")
    elif not wrong:
        yield ok(REQUIREMENTS, f"requirements.txt was installed ({', '.join(kept)}).")


def _complaint(lines: Iterable[str]) -> str:
    return next((line for line in lines if _PIP_ERROR.search(line) and _CONFLICT not in line), "")


def check_imports(rest: AirflowRest) -> Iterator[Finding]:
    """Look for DAG files and plugins that Airflow cannot import."""
    files = _listed(rest, "/importErrors", "import_errors", {"limit": _PAGE})
    plugins = _listed(rest, "/plugins/importErrors", "import_errors")
    for one in files:
        yield failed(
            IMPORTS,
            f"Airflow cannot import {one.get('filename')}: {_last_line(str(one.get('stack_trace')))}.",
            "If a package is missing, its installation failed: read the log requirements_install_* of the environment. "
            "Otherwise deploy a release without the error.",
        )
    for one in plugins:
        yield failed(
            IMPORTS,
            f"Airflow cannot import plugin {one.get('source')}: {_last_line(str(one.get('error')))}.",
            "Deploy plugins.zip again, and see that its content is at its top and not in a folder.",
        )
    if not files and not plugins:
        yield ok(IMPORTS, "Airflow imports every DAG file and plugin.")


def check_dags(rest: AirflowRest) -> Iterator[Finding]:
    """Look whether the DAGs are there and not paused."""
    wrong = []
    for dag_id in DAG_IDS:
        dag = _dag(rest, dag_id)
        if dag is None:
            remedy = "See in Airflow whether its file has an import error, and whether the bucket has the file."
            wrong.append(failed(DAGS, f"Airflow has no DAG {dag_id}.", remedy))
        elif dag.get("is_paused") is not False:
            wrong.append(failed(DAGS, f"The DAG {dag_id} is paused.", "Switch it on in Airflow's list of DAGs."))
    yield from wrong or [ok(DAGS, f"The DAGs {' and '.join(DAG_IDS)} are there, and not paused.")]


def _dag(rest: AirflowRest, dag_id: str) -> Json | None:
    try:
        return rest.call("GET", f"/dags/{dag_id}")
    except AirflowRefusedError as error:
        if error.status != _NOT_FOUND:
            raise
        return None


def check_housekeeping(rest: AirflowRest, clock: Clock) -> Finding:
    """Look at the newest run of housekeeping: it shows that Airflow schedules and runs tasks at all."""
    parameters = {"order_by": "-run_after", "limit": 1}
    path = f"/dags/{HOUSEKEEPING_DAG}/dagRuns"
    runs = _listed(rest, path, "dag_runs", parameters)
    if not runs:
        return failed(
            HOUSEKEEPING,
            f"{HOUSEKEEPING_DAG} has not run yet.",
            "Wait five minutes; then see whether it is paused, and whether the environment has a worker.",
        )
    run = runs[0]
    since = clock.now() - _time(path, str(run.get("run_after")))
    if since > LATELY:
        return failed(
            HOUSEKEEPING,
            f"The newest run of {HOUSEKEEPING_DAG} began {since.total_seconds() / 60:.0f} minutes ago; it starts every "
            "five minutes.",
            "See in Airflow whether the DAG is paused or a run hangs, and in the log group Scheduler whether the "
            "scheduler works.",
        )
    if run.get("state") == "failed":
        return failed(
            HOUSEKEEPING,
            f"The newest run of {HOUSEKEEPING_DAG} failed ({run.get('dag_run_id')}).",
            "Open the log of its failed task in Airflow: its end says what to do.",
        )
    minutes = max(0, round(since.total_seconds() / 60))
    return ok(HOUSEKEEPING, f"{HOUSEKEEPING_DAG} ran {minutes} {'minute' if minutes == 1 else 'minutes'} ago.")


def check_version(state: AirflowState, rest: AirflowRest, releases: Releases, region: str) -> Iterator[Finding]:
    """Compare what runs with the newest release that was deployed to the end: its version, and its files' digests."""
    dag = rest.call("GET", f"/dags/{HOUSEKEEPING_DAG}/details")
    said = VERSION_LINE.search(str(dag.get("doc_md") or ""))
    running = said["version"] if said else None
    released = releases.newest(region, state.bucket) if state.bucket else None
    if released is None:
        sentence = f"Version {running} runs" if running else "The DAGs do not say their version"
        yield ok(VERSION, f"{sentence}; the bucket keeps no release to compare it with.")
        return
    wrong = []
    if running != released.version:
        wrong.append(
            failed(
                VERSION,
                f"Version {released.version} was released, but {running or 'one that does not say its version'} runs.",
                "Wait some minutes for Airflow to read the DAG files. If it stays, the installation failed: see "
                "requirements and imports, then deploy again.",
            )
        )
    wrong += _other_files(state, released, releases, region)
    yield from wrong or [ok(VERSION, f"Version {released.version} was released, and runs.")]


def _other_files(state: AirflowState, released: Released, releases: Releases, region: str) -> Iterator[Finding]:
    for key, version in state.objects.items():
        name = key.rpartition("/")[2]
        digest, expected = releases.digest(region, state.bucket, key, version), released.digests.get(name)
        if digest and expected and digest != expected:
            yield failed(
                VERSION,
                f"The environment uses another {name} than release {released.version}.",
                "Deploy again: the environment gets the released version of the file.",
            )


def _listed(rest: AirflowRest, path: str, key: str, parameters: Mapping[str, object] | None = None) -> list[Json]:
    """Return the entries of a listing; raise AirflowRefusedError for an answer that is not Airflow's."""
    found = rest.call("GET", path, parameters=parameters).get(key)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise AirflowRefusedError(f"GET {path}", None, f"an answer without {key}")
    return found


def _time(path: str, text: str) -> datetime:
    """Return a time of Airflow's, which has a time zone; raise AirflowRefusedError for any other text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise AirflowRefusedError(f"GET {path}", None, "an answer without the time of a run")
    return found


def _last_line(trace: str) -> str:
    lines = [line for line in trace.splitlines() if line.strip()]
    return (one_line(lines[-1], _LENGTH) if lines else "no reason").rstrip(".")
