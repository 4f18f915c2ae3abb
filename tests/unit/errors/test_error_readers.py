"""What an error says is true for whoever reads it: between tries, after the last one, in a notice, at the command line.

Every class of the tree and every code of the list is walked; both are read from the product, so that a later one is
walked too.
"""

import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any, Final

import pytest
from airflow.sdk import RetryAction
from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from contactsync.aws.sdk.error_codes import translate
from contactsync.aws.sdk.sdk_errors import translate_sdk
from contactsync.bus.advice import Reader as LetterReader
from contactsync.bus.advice import sentence_for
from contactsync.bus.events import NoticeRequested
from contactsync.configuration.schema import RetryConfig
from contactsync.contacts import ContactType
from contactsync.errors import (
    AccessDeniedError,
    AccountsFailedError,
    AwsCallError,
    AwsSetupError,
    ContactSyncError,
    CredentialsError,
    CredentialsExpiredError,
    CredentialsMissingError,
    CredentialsUnreachableError,
    DesiredContactOutdatedError,
    FinalInEarlierTryError,
    HaltedError,
    OutageError,
    Reader,
    ServiceUnavailableError,
    ThrottledError,
    UnexpectedAwsError,
    WaitingError,
    kind_of,
)
from contactsync.errors.aws.codes import MEANINGS
from contactsync.errors.aws.services import ACCOUNT_OPERATIONS, SERVICES
from contactsync.errors.clearing import CLEAR_RUN
from contactsync.errors.kinds import kinds
from contactsync.errors.remedies import Blame
from contactsync.limits import RETRIES_LIMIT
from contactsync.notices.forms.render_text import render_text
from contactsync.notices.notice import NoticeOrigin, notice_of
from contactsync.notices.remedies import BY_DETAIL, UNKNOWN, remedy_of_error, remedy_of_outcome
from contactsync.notices.scenarios import DEFAULT_SEVERITIES, Scenario, scenario_of_error
from contactsync.operations.operation import AccountOutcome, Halt, OperationStatus, OutcomeDetail, OutcomeStatus
from contactsync.orchestration.causes import log_cause
from contactsync.orchestration.retry import RETRY_CONFIG_KEY, ContactSyncRetryPolicy
from tests.support.builders import operation as an_operation
from tests.unit.errors.aws.test_codes import SERVICES as CALLS
from tests.unit.errors.test_errors import CONCRETE, made

ORIGIN = NoticeOrigin("test", "run-1", datetime(2026, 11, 1, tzinfo=UTC))
ACCOUNT = "111122223334"
POLICY = ContactSyncRetryPolicy(RETRIES_LIMIT)

ENDLESS: Final = re.compile(r"(?:is|are) tried again|goes on by itself|(?:next|last) try will", re.IGNORECASE)
"""What is true between tries only."""
OF_A_PLACE: Final = re.compile(r"this (?:run|task|question)\b|\babove\b|\bbelow\b", re.IGNORECASE)
"""What points at a place where a sentence of an error does not always stand."""
OF_TASKS: Final = re.compile(r"\bclear (?:the|this)\b|trusted access|\bAirflow\b(?!:)|\btask\b")
"""What whoever looks at a failed call of another service cannot use."""
ADVICE: Final = re.compile(
    r"\b(?:add|check|clear|compare|correct|deploy|discard|find|fix|go on|look|name|read|redrive|repeat|run|see|set|sign"
    r"|start|store|update|wait|change|trigger|give|raise|do|leave|take|switch)\b|`|\bdocs/",
    re.IGNORECASE,
)
"""What its reader can do."""


def error_of(code: str, operation: str, service: str, account_id: str | None = None) -> AwsCallError:
    """Translate an answer of AWS, as adapters do, and note the service, as clients do."""
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    error = ClientError(response, operation)
    translated = translate(error, operation, account_id)
    translated.service = service
    return translated


def walked() -> Iterator[tuple[str, ContactSyncError]]:
    """Yield every concrete class, and every code with a call of one service after the other, each with a name."""
    for kind in CONCRETE:
        yield kind.__name__, made(kind)
    calls = [(service, operations[0]) for service, operations in CALLS.items()]
    for number, code in enumerate(sorted(MEANINGS)):
        service, operation = calls[number % len(calls)]
        yield f"{code}-{service}", error_of(code, operation, service, ACCOUNT if service == "account" else None)


WALKED: Final = dict(walked())
walk = pytest.mark.parametrize("error", [pytest.param(error, id=name) for name, error in WALKED.items()])


def carries_a_code(error: ContactSyncError) -> bool:
    """Tell whether an error is named by the code of another one, which led to it."""
    return isinstance(error, (FinalInEarlierTryError, HaltedError, OutageError, WaitingError))


def between_tries(error: ContactSyncError) -> str | None:
    """Return what the log of a task has when another try follows; None when none does."""
    decision = POLICY.evaluate(error, 1, RETRIES_LIMIT, {RETRY_CONFIG_KEY: RetryConfig()})  # type: ignore[typeddict-unknown-key]
    return f"{error} {decision.reason}" if decision.action is RetryAction.RETRY else None


def at_the_end(error: ContactSyncError, caplog: pytest.LogCaptureFixture) -> str:
    """Return what the log of a task that has failed for good ends with."""
    decision = POLICY.evaluate(error, RETRIES_LIMIT + 1, RETRIES_LIMIT, {RETRY_CONFIG_KEY: RetryConfig()})  # type: ignore[typeddict-unknown-key]
    assert decision.action is RetryAction.FAIL
    caplog.clear()
    with caplog.at_level(logging.INFO):
        log_cause({"exception": error})
    return f"{decision.reason} {' '.join(caplog.messages)}"


def in_a_notice(error: ContactSyncError) -> str:
    """Return the text of the notice that a task's last error gives."""
    scenario = scenario_of_error(error) or Scenario.SYSTEM_ERRORS
    request = NoticeRequested(
        notice_id="n-1",
        scenario=scenario,
        priority=DEFAULT_SEVERITIES[scenario],
        dag_id="contact_sync",
        dag_run_id="run-1",
        code=error.known_as,
        message=str(error),
        of_task=True,
    )
    return render_text(notice_of(request, ORIGIN))


def test_walk_is_whole() -> None:
    """The walk has every class and every code that there is."""
    assert set(MEANINGS) == {name.partition("-")[0] for name in WALKED if "-" in name}
    assert {type(error) for error in WALKED.values()} == set(CONCRETE)


@walk
def test_code_is_of_its_class(error: ContactSyncError) -> None:
    """A code that was stored or sent leads back to the class, but where an error carries another one's code."""
    if not carries_a_code(error):
        assert issubclass(type(error), kind_of(error.known_as) or type(None))


@walk
def test_between_tries(error: ContactSyncError) -> None:
    """A task that is tried again says what happened and nothing that a person would have to do to the run."""
    text = between_tries(error)
    assert (text is not None) == error.retryable
    if text:
        assert not re.search(r"\bclear the\b", text)
        assert "trying again cannot help" not in text


@walk
def test_at_the_end(error: ContactSyncError, caplog: pytest.LogCaptureFixture) -> None:
    """A task that failed for good promises no other try, and says what to do."""
    text = at_the_end(error, caplog)
    assert not ENDLESS.search(text)
    assert not OF_A_PLACE.search(str(error))
    assert ADVICE.search(text)


@walk
def test_in_a_notice(error: ContactSyncError) -> None:
    """A notice explains the error as what it is, with a step, and says nothing that holds between tries only."""
    text = in_a_notice(error)
    assert UNKNOWN.meaning not in text
    assert not ENDLESS.search(str(error))
    remedy = remedy_of_error(error.known_as)
    assert remedy.steps
    assert remedy.meaning in " ".join(text.split())


@pytest.mark.parametrize("code", MEANINGS)
def test_headline(code: str) -> None:
    """A headline does not call it a denied permission when credentials, a clock or a setting are the cause."""
    error = error_of(code, "Query", "dynamodb")
    denied = "AWS denies the permission" in in_a_notice(error).partition("\n")[0]
    assert denied == (isinstance(error, AccessDeniedError) and not isinstance(error, CredentialsError))


@walk
def test_at_the_command_line(error: ContactSyncError) -> None:
    """The person at the command line gets advice, and no words about tries and tasks of a run nobody has started."""
    text = error.sentence_for(Reader.COMMAND)
    assert not ENDLESS.search(text)
    assert not OF_A_PLACE.search(text)
    assert ADVICE.search(text)
    if isinstance(error, AwsCallError) and error.api_operation not in ACCOUNT_OPERATIONS:
        assert not OF_TASKS.search(text)


@walk
def test_at_a_dead_letter(error: ContactSyncError) -> None:
    """Whoever looks at a dead letter is never sent to the tasks of a run for a call that failed."""
    text = sentence_for(error, LetterReader("tickets", "contactsync-test-tickets"))
    assert "{" not in text
    if isinstance(error, AwsCallError):
        assert not OF_TASKS.search(text) or isinstance(error, AwsSetupError)
        assert "tickets" in text or "discard" in text


@pytest.mark.parametrize("service", CALLS)
def test_service(service: str) -> None:
    """Every code names the operation, AWS's code and the service, and trusted access only where it can be the cause."""
    for code, operation in product(MEANINGS, CALLS[service][:1]):
        error = error_of(code, operation, service)
        for text in (str(error), error.sentence_for(Reader.COMMAND)):
            named = [operation, *([] if isinstance(error, AwsSetupError) else [code, SERVICES[service].name])]
            assert all(words in text for words in named)
            assert service == "account" or "trusted access" not in text
        assert SERVICES[service].name in error.brief or isinstance(error, AwsSetupError)


@walk
def test_outcomes(error: ContactSyncError) -> None:
    """An outcome's failure is explained by its code or by its detail, as what it is."""
    detail = OutcomeDetail(error.outcome_detail)
    outcome = AccountOutcome(
        ACCOUNT, "payments", ContactType.SECURITY, OutcomeStatus.FAILED, detail, error_code=error.known_as
    )
    request = NoticeRequested(notice_id="n-1", scenario="system_errors", priority=DEFAULT_SEVERITIES[Scenario.HALTED])
    (cause,) = notice_of(request, ORIGIN, an_operation(status=OperationStatus.FAILED), [outcome]).causes
    assert cause.steps
    assert "{account}" not in str(cause.steps)
    if not carries_a_code(error):
        known = {remedy.meaning for remedy in (error.remedy, error.account_remedy, BY_DETAIL[detail]) if remedy}
        assert cause.meaning in known


@pytest.mark.parametrize("code", [*MEANINGS, "BrandNewFailure"])
def test_halts(code: str) -> None:
    """A halted operation's notice explains the cause of the halt, an outage with a code that nobody knows too."""
    stopped = an_operation(status=OperationStatus.FAILED, halt=Halt(code, "It failed.", ORIGIN.time))
    request = NoticeRequested(notice_id="n-1", scenario="halted", priority=DEFAULT_SEVERITIES[Scenario.HALTED])
    cause = notice_of(request, ORIGIN, stopped).causes[0]
    assert cause.meaning != UNKNOWN.meaning
    assert cause.steps


@pytest.mark.parametrize("kind", CONCRETE)
def test_details_and_blame(kind: type[ContactSyncError]) -> None:
    """Each class says its blame, and a detail that outcomes have."""
    assert kind.blame in Blame
    assert kind.outcome_detail in set(OutcomeDetail)


def test_meanings() -> None:
    """Each meaning is one class's, and each class of calls but those that no code makes has one."""
    without = {AwsCallError, CredentialsError, UnexpectedAwsError}
    calls = {kind for kind in CONCRETE if issubclass(kind, AwsCallError)}
    assert set(kinds().values()) == calls - without


def sdk_kinds(kind: type[BaseException] = BotoCoreError) -> Iterator[type[BaseException]]:
    """Yield the exceptions of botocore that its client can raise."""
    for child in kind.__subclasses__():
        if child.__module__ == exceptions.__name__:
            yield child
        yield from sdk_kinds(child)


def raised(kind: type[BaseException]) -> BotoCoreError:
    """Make an exception of botocore, whatever parts its sentence has."""
    error = kind.__new__(kind)
    error.kwargs = {"error": None, "provider": "env"}  # type: ignore[attr-defined]
    Exception.__init__(error, "it failed")
    assert isinstance(error, BotoCoreError)
    return error


LISTED = [kind for kind in sdk_kinds() if kind.__name__ in MEANINGS]


@pytest.mark.parametrize("kind", LISTED)
def test_sdk(kind: type[BaseException]) -> None:
    """An exception of botocore that is in the list becomes the class that the list says."""
    error = translate_sdk(raised(kind), "Query")
    assert isinstance(error, kinds()[MEANINGS[kind.__name__]])
    assert kind_of(error.known_as) is type(error)


def test_sdk_list() -> None:
    """What botocore says of credentials, settings and connections is in the list, with every subclass."""
    groups = (
        exceptions.HTTPClientError,
        exceptions.SSOError,
        exceptions.BaseEndpointResolverError,
        exceptions.InvalidConfigError,
        exceptions.PartialCredentialsError,
        exceptions.ProfileNotFound,
        exceptions.ConfigNotFound,
    )
    wanted = {kind.__name__ for kind in sdk_kinds() if issubclass(kind, groups)}
    assert wanted - set(MEANINGS) == set()


def test_no_error_of_ours() -> None:
    """A fault such as a ValueError is not taken for what the SDK says under the same name."""
    for name in ("ValueError", "FileNotFoundError", "KeyError"):
        assert remedy_of_error(name) is UNKNOWN
    setup = AwsSetupError("Query", "ValueError")
    assert remedy_of_error(setup.known_as) is AwsSetupError.remedy


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("ExpiredToken", CredentialsExpiredError),
        ("NoCredentials", CredentialsMissingError),
        ("MetadataRetrievalError", CredentialsUnreachableError),
        ("ProfileNotFound", AwsSetupError),
        ("EndpointConnectionError", ServiceUnavailableError),
    ],
)
def test_known(code: str, wanted: type[AwsCallError]) -> None:
    """What goes wrong on a machine that is new to AWS is known."""
    found = kind_of(code)
    assert found
    assert issubclass(found, wanted)


@pytest.mark.parametrize("service", CALLS)
def test_denied(service: str) -> None:
    """A table, a topic or an organization that denies is named in the sentence; the notice advises on all of them."""
    error = error_of("AccessDeniedException", CALLS[service][0], service)
    name = SERVICES[service].name
    assert f"({name})" in str(error)
    assert name in in_a_notice(error)


def test_carried() -> None:
    """An outage and a halt are explained by the code that they carry, and several errors by none: others tell them."""
    outage = OutageError("PutAlternateContact", "ConnectionClosedError", 1800)
    assert remedy_of_error(outage.code) is ServiceUnavailableError.remedy
    assert "Account Management" in str(outage)
    assert scenario_of_error(HaltedError("x", "y")) is Scenario.HALTED
    assert scenario_of_error(AccountsFailedError(ACCOUNT, [])) is None


def test_cleared_finds_the_same(caplog: pytest.LogCaptureFixture) -> None:
    """Where a cleared task would find the same, the log of an account's task does not say to clear the run."""
    old = made(DesiredContactOutdatedError)
    text = at_the_end(AccountsFailedError(ACCOUNT, [old]), caplog)
    assert "Start a run of contact_sync by hand" in text
    assert CLEAR_RUN not in text
    assert CLEAR_RUN in at_the_end(AccountsFailedError(ACCOUNT, [old, made(ThrottledError)]), caplog)


def test_clock() -> None:
    """A wrong clock is explained as one, whatever AWS's code for the signature is."""
    message = "Signature expired: 20261128T100000Z is now earlier than 20261128T101500Z"
    answer: Any = {"Error": {"Code": "InvalidSignatureException", "Message": message}}
    error = translate(ClientError(answer, "Query"), "Query")
    assert (error.known_as, error.code) == ("ClockWrong", "InvalidSignatureException")
    assert "date -u" in in_a_notice(error)


def test_contact_not_found() -> None:
    """A put that AWS answers as not found says nothing wrong of tables, in a notice of the run or of the account."""
    error = UnexpectedAwsError("PutAlternateContact", "ResourceNotFoundException", ACCOUNT)
    assert remedy_of_error(error.known_as) is UnexpectedAwsError.remedy
    assert "or the contact" in remedy_of_outcome("error", error.code, ACCOUNT).meaning
