"""Questions of runs and their answers, through Airflow's REST API."""

import pytest

from contactsync.errors import AirflowRefusedError, ApprovalMissingError
from contactsync.runs.approvals import LISTING, PAGE, Answer, Approvals, path_of
from contactsync.runs.runs import LONGEST_PATH
from tests.support.fakes.airflow import FakeAirflow

RUN = "manual__2026-11-21T10:00:00+00:00"


def test_paths() -> None:
    """The listing fits into InvokeRestApi's path, and the shortest answer does not."""
    assert len(LISTING) <= LONGEST_PATH < len(path_of("r"))


def test_waiting() -> None:
    """All pages of unanswered questions are read, and those of other tasks are left out."""
    airflow = FakeAirflow()
    for number in range(2 * PAGE + 1):
        airflow.ask(f"run-{number}")
    airflow.ask("answered", response_received=True)
    airflow.ask("other", task_instance={"dag_run_id": "other", "task_id": "another_task"})
    found = [question.run_id for question in Approvals(airflow).waiting()]
    assert found == [f"run-{number}" for number in range(2 * PAGE + 1)]
    assert len(airflow.calls) == 3


def test_no_questions() -> None:
    """Where nothing waits nothing is listed."""
    assert list(Approvals(FakeAirflow()).waiting()) == []


def test_without_text() -> None:
    """A question without a body is shown all the same."""
    airflow = FakeAirflow()
    airflow.ask(RUN, body=None)
    assert Approvals(airflow).of(RUN).body == ""


def test_not_waiting() -> None:
    """A run that does not wait is named."""
    with pytest.raises(ApprovalMissingError, match="contactsync approvals list"):
        Approvals(FakeAirflow()).of(RUN)


class Direct(FakeAirflow):
    """An Airflow that is called at its address, so that paths may be longer."""

    def call(self, method: str, path: str, body: object = None, *, parameters: object = None) -> dict[str, object]:
        """Answer one request."""
        assert parameters is None
        status, answer = self.answer(method, path, body, {})  # type: ignore[arg-type]
        if status >= 400:
            raise AirflowRefusedError(path, status, "no")
        return answer


@pytest.mark.parametrize("answer", Answer)
def test_answer(answer: Answer) -> None:
    """An answer reaches the run with its id, whatever characters that has; a second one is refused."""
    airflow = Direct()
    airflow.ask("other")
    airflow.ask(RUN)
    approvals = Approvals(airflow)
    approvals.answer(RUN, answer)
    assert [one["chosen_options"] for one in airflow.questions] == [None, [str(answer)]]
    with pytest.raises(ApprovalMissingError):
        approvals.answer(RUN, answer)
    with pytest.raises(ApprovalMissingError):
        approvals.answer("../../../variables", answer)


def test_refused() -> None:
    """What Airflow refuses for another reason stays that error."""

    class Forbidding(FakeAirflow):
        def call(self, *_: object, **__: object) -> dict[str, object]:
            raise AirflowRefusedError("PATCH", 403, "no")

    with pytest.raises(AirflowRefusedError):
        Approvals(Forbidding()).answer(RUN, Answer.APPROVE)
