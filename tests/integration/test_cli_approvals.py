"""`contactsync approvals` with a small Airflow: listed through InvokeRestApi too, answered where the path allows it."""

import json
from collections.abc import Iterator

import pytest

from contactsync.sandbox.requests.faults import FaultSettings
from contactsync.sandbox.server import Sandbox
from tests.integration.conftest import Command, misused, refused
from tests.support.fakes.airflow import FakeAirflow, served

RUN = "5830ca16-0051-41b8-adea-f81145261771"


@pytest.fixture
def mwaa(deployment: Sandbox) -> Iterator[FakeAirflow]:
    """Give the MWAA environment of the deployment an Airflow in which a run waits."""
    airflow = FakeAirflow()
    airflow.ask(RUN)
    with served(airflow) as url:
        deployment.register_airflow(url, "user", "password")
        yield airflow


@pytest.fixture
def direct(mwaa: FakeAirflow, deployment: Sandbox, monkeypatch: pytest.MonkeyPatch) -> FakeAirflow:
    """Let commands sign in at that Airflow."""
    (registered,) = deployment.loop.mwaa.registered()
    monkeypatch.setenv("CONTACTSYNC_AIRFLOW_URL", registered.base_url)
    monkeypatch.setenv("CONTACTSYNC_AIRFLOW_TOKEN", "token")
    return mwaa


@pytest.mark.usefixtures("mwaa")
def test_list(contactsync: Command) -> None:
    """Runs that wait are listed through InvokeRestApi, with the whole question as JSON."""
    table = contactsync("approvals", "list")
    assert (table.code, RUN in table.out, "Delete the security contact" in table.out) == (0, True, True)
    (row,) = json.loads(contactsync("approvals", "list", "-o", "json").out)
    assert row == {
        "run_id": RUN,
        "asked": "2026-11-21T10:00:00Z",
        "subject": "Delete the security contact in up to 2 accounts?",
        "question": "Approve deletes the contact.",
    }


def test_none(contactsync: Command, mwaa: FakeAirflow) -> None:
    """Where nothing waits that is said."""
    mwaa.questions.clear()
    answer = contactsync("approvals", "list")
    assert (answer.code, answer.out, "Nothing was found." in answer.err) == (0, "", True)


@pytest.mark.parametrize(("command", "option"), [("approve", "Approve"), ("reject", "Reject")])
def test_answered(contactsync: Command, direct: FakeAirflow, command: str, option: str) -> None:
    """With an Airflow at an address the answer is given, after the question was shown; it is given once."""
    answer = contactsync("approvals", command, RUN, "--yes")
    assert (answer.code, answer.out) == (0, "")
    assert "Delete the security contact in up to 2 accounts?\n\nApprove deletes the contact." in answer.err
    assert f"contactsync watch {RUN}" in answer.err
    assert direct.questions[0]["chosen_options"] == [option]
    refused(contactsync("approvals", command, RUN, "--yes"), f"Run '{RUN}' does not wait for an answer")


def test_not_asked(contactsync: Command, direct: FakeAirflow) -> None:
    """Without a terminal nobody can be asked, so --yes is needed."""
    answer = contactsync("approvals", "approve", RUN)
    assert (answer.code, "add --yes" in " ".join(answer.err.replace("│", " ").split())) == (2, True)
    assert direct.questions[0]["chosen_options"] is None


@pytest.mark.usefixtures("mwaa")
def test_run_needed(contactsync: Command) -> None:
    """A run has to be named: nothing is approved by default."""
    misused(contactsync("approvals", "approve", "--yes"), "Missing argument")


def test_denied(contactsync: Command, mwaa: FakeAirflow, deployment: Sandbox) -> None:
    """Who may not sign in at MWAA's web server is sent to Airflow's page, with an exit code of its own."""
    settings = FaultSettings(service="mwaa", operation="CreateWebLoginToken", error="AccessDeniedException")
    fault = deployment.conditions.faults.add(settings)
    try:
        answer = contactsync("approvals", "approve", RUN, "--yes")
    finally:
        deployment.conditions.faults.remove(fault.id)
    assert (answer.code, fault.struck) == (4, 1), answer.err
    assert "airflow:CreateWebLoginToken" in answer.err
    assert "the Airflow UI of contactsync-local, from the MWAA console in us-east-1" in answer.err
    assert mwaa.questions[0]["chosen_options"] is None


def test_out_of_reach(contactsync: Command, mwaa: FakeAirflow, monkeypatch: pytest.MonkeyPatch) -> None:
    """A web server that this machine does not reach is no traceback: the answer is given on Airflow's page."""
    monkeypatch.setenv("CONTACTSYNC_AIRFLOW_URL", "https://airflow.example.com/")
    answer = contactsync("approvals", "reject", RUN, "--yes")
    assert answer.code == 4, answer.err
    assert "No Airflow answers at https://127.0.0.1:" in answer.err
    assert "if the web server is private, repeat the command inside its VPC." in answer.err
    assert f"https://airflow.example.com/dags/contact_sync/runs/{RUN}" in answer.err
    assert mwaa.questions[0]["chosen_options"] is None
