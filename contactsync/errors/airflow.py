"""What Airflow's REST API answers to a person's command."""

from dataclasses import dataclass
from typing import Final

from contactsync.errors.remedies import Blame
from contactsync.errors.root import ContactSyncError

_ADVICE: Final = {
    401: "Airflow does not know this identity: see with `aws sts get-caller-identity` who you are",
    403: "this identity's role in Airflow does not allow it: use a role with Op or Admin in airflow:InvokeRestApi",
    404: "see in Airflow whether it is there, and whether the DAG's file has an import error",
    409: "see in Airflow what has happened to it",
}
_ADVICE_AT_ADDRESS: Final = {
    **_ADVICE,
    401: "check CONTACTSYNC_AIRFLOW_USERNAME and CONTACTSYNC_AIRFLOW_PASSWORD, or CONTACTSYNC_AIRFLOW_TOKEN",
    403: "this user's role in Airflow does not allow it: use a user with the role Op or Admin",
}
"""What else helps where contactsync signs in at an Airflow itself, without MWAA."""
_SERVER_FAULT: Final = 500
_OTHERS: Final = "see in Airflow's UI whether Airflow works"
_OTHERS_AT_ADDRESS: Final = "see whether CONTACTSYNC_AIRFLOW_URL is the address of Airflow 3, and whether it works"


@dataclass(eq=False)
class AirflowRefusedError(ContactSyncError):
    """Raised when Airflow's REST API answered a request with an error, or MWAA could not reach it."""

    request: str
    """The method and the path."""
    status: int | None
    """Airflow's HTTP status; None when the answer has none."""
    reason: str
    """What Airflow says, in one line."""
    server: str = ""
    """The address, where Airflow was called without InvokeRestApi."""
    of_mwaa: bool = False
    """Whether that is the web server of an MWAA environment."""
    blame = Blame.ELSEWHERE

    @property
    def retryable(self) -> bool:
        """Whether Airflow itself failed, say because its web server restarts, and did not refuse the request."""
        return self.status is None or self.status >= _SERVER_FAULT

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        status = "no status" if self.status is None else f"status {self.status}"
        if self.server and not self.of_mwaa:
            advice = _ADVICE_AT_ADDRESS.get(self.status or 0, _OTHERS_AT_ADDRESS)
        else:
            advice = _ADVICE.get(self.status or 0, _OTHERS)
        where = f" at {self.server}" if self.server else ""
        return f"Airflow{where} did not do {self.request} ({status}: {self.reason}): {advice}."


@dataclass(eq=False)
class AirflowSilentError(ContactSyncError):
    """Raised when an Airflow at an address gave no answer."""

    server: str
    """The address."""
    reason: str
    """Why, in the words of the network."""
    of_mwaa: bool = False
    """Whether that is the web server of an MWAA environment."""
    blame = Blame.ELSEWHERE
    retryable = True

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        advice = (
            "if the web server is private, repeat the command inside its VPC"
            if self.of_mwaa
            else "see whether it runs, and whether CONTACTSYNC_AIRFLOW_URL is its address"
        )
        return f"No Airflow answers at {self.server} ({self.reason}): {advice}."


@dataclass(eq=False)
class RunUnknownError(ContactSyncError):
    """Raised when Airflow has no run of this id."""

    dag_run_id: str
    blame = Blame.ELSEWHERE

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"Airflow has no run {self.dag_run_id!r} of the DAG contact_sync. `contactsync operations list` shows the "
            "ids of runs; Airflow may have deleted an old one."
        )


@dataclass(eq=False)
class ApprovalMissingError(ContactSyncError):
    """Raised when a run does not wait for an answer, or not any more."""

    dag_run_id: str
    blame = Blame.ELSEWHERE

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"Run {self.dag_run_id!r} does not wait for an answer: somebody may have answered, or the time for it is "
            "over. `contactsync approvals list` shows the runs that wait."
        )


@dataclass(eq=False)
class NoRunsError(ContactSyncError):
    """Raised when Airflow has no run at all."""

    blame = Blame.ELSEWHERE

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return "Airflow has no run of the DAG contact_sync yet: start one with `contactsync sync`."


@dataclass(eq=False)
class DagPausedError(ContactSyncError):
    """Raised when a run would wait, because its DAG is paused."""

    dag_id: str
    blame = Blame.ELSEWHERE

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return f"The DAG {self.dag_id} is paused in Airflow, so a run would only wait: switch the DAG on, then repeat."
