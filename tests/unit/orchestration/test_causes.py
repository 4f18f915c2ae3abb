"""The cause of a failed task is the last thing in its log."""

import logging

import pytest

from contactsync.errors import RunRequestError, TrustedAccessOffError
from contactsync.errors.clearing import CLEAR_RUN
from contactsync.orchestration.causes import LINE, log_cause


def test_cause(caplog: pytest.LogCaptureFixture) -> None:
    """The sentence and how the run goes on end the log, in lines that fit, outside of Airflow's folded group."""
    with caplog.at_level(logging.INFO):
        log_cause({"exception": TrustedAccessOffError()})
    first, *lines = (record.getMessage() for record in caplog.records)
    assert first == "::endgroup::"
    assert all(len(line) <= LINE for line in lines)
    assert " ".join(lines).endswith(f"When the cause is fixed, {CLEAR_RUN}.")
    assert {record.levelno for record in caplog.records[1:]} == {logging.ERROR}


def test_parameters(caplog: pytest.LogCaptureFixture) -> None:
    """Who gave wrong parameters is not told to clear the run, which keeps them."""
    log_cause({"exception": RunRequestError(problems=["accounts: 1 is no account id"])})
    assert "Start another run" in " ".join(caplog.messages)
    assert CLEAR_RUN not in " ".join(caplog.messages)


@pytest.mark.parametrize("error", [None, "killed", ValueError("x")])
def test_others(error: object, caplog: pytest.LogCaptureFixture) -> None:
    """What is no error of ours is left to Airflow's traceback."""
    with caplog.at_level(logging.INFO):
        log_cause({"exception": error})
    assert not caplog.records
