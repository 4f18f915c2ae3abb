"""Run requests: what a DAG run was asked to do, by a contact change or by a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic.dataclasses import dataclass as validated

from contactsync.contacts import ContactType
from contactsync.errors import RunClaimError, RunRequestError
from contactsync.intake.contact_change import ACTIONS, ANY_ALTERNATE, ContactChange, ShortText
from contactsync.limits import FOLLOW_UPS_LIMIT
from contactsync.scope.rules import ScopeFilter, UnitName
from contactsync.sections.section import AccountId

PARAMETERS: Final = (
    "change",
    "contact_types",
    "accounts",
    "organizational_units",
    "dry_run",
    "reason",
    "follow_up",
    "correlation_id",
)
"""The keys of a run's conf; the DAG's params have the same names (orchestration/params.py)."""

NOT_KNOWN: Final = "Extra inputs are not permitted"
"""Pydantic's sentence for an unknown key of a model; for a dataclass it uses another one, about arguments."""

BY_REST_OR_FORM: Final = "manual"
BY_A_TASK: Final = "operator_triggered"
"""Airflow's types of runs that were started by the REST API or the form, and of runs that a task started."""


@validated(frozen=True, config=ConfigDict(extra="forbid", hide_input_in_errors=True))
class RequestedChange(ContactChange):
    """The contact change that started a run, read from the run's conf and checked against its declaration."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        primary = self.event_name == "PutContactInformation"
        if self.action != ACTIONS[self.event_name] or primary != (self.contact_type == ContactType.PRIMARY):
            message = "event_name, action and contact_type do not go together"
            raise ValueError(message)
        return self

    @property
    def unclear(self) -> bool:
        """Whether CloudTrail did not say which of the alternate contacts was changed."""
        return self.contact_type == ANY_ALTERNATE

    @property
    def contact_types(self) -> tuple[ContactType, ...]:
        """The contact types that the change concerns, or may concern."""
        return tuple(
            t for t in ContactType if t == self.contact_type or (self.unclear and t is not ContactType.PRIMARY)
        )


@dataclass(frozen=True)
class RunOrigin:
    """What Airflow itself says about who started a run."""

    user: str | None
    run_type: str

    @property
    def name(self) -> str:
        """The user, or the type of the run, as it is stored."""
        return f"airflow:{self.user or self.run_type}"

    def is_of(self, trigger_user: str) -> bool:
        """Return whether the trigger function started the run; MWAA may add the session to the role's name."""
        user = self.user or ""
        return self.run_type == BY_REST_OR_FORM and (user == trigger_user or user.startswith(f"{trigger_user}/"))


class RunRequest(BaseModel):
    """What one run has to do; empty `contact_types` means all that are configured.

    Empty `accounts` and `organizational_units` mean all accounts that the configuration allows; if both are given, an
    account in either of them is included.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    change: RequestedChange | None = None
    contact_types: tuple[ContactType, ...] = ()
    accounts: tuple[AccountId, ...] = ()
    organizational_units: tuple[UnitName, ...] = ()
    dry_run: bool = False
    reason: Annotated[str, StringConstraints(max_length=1000)] | None = None
    follow_up: Annotated[int, Field(ge=0, le=FOLLOW_UPS_LIMIT, strict=True)] = 0
    """The run's place in a row of follow-ups, from 1; 0 when no report of another run started it."""
    correlation_id: ShortText | None = None
    """What a follow-up shares with the run that it follows."""

    dag_run_id: Annotated[str, Field(min_length=1)]
    triggered_by: str
    """Who started the run according to Airflow: the trigger function's user for a contact change."""

    @property
    def initiating_user(self) -> str:
        """The ARN of the principal that changed the contact, or the user who started the run by hand."""
        return self.change.initiating_user if self.change else self.triggered_by

    @property
    def by_hand(self) -> bool:
        """Whether a person started the run, not a contact change or the report of another run."""
        return self.change is None and not self.follow_up

    @property
    def run_filter(self) -> ScopeFilter:
        """The accounts to which the run was limited; an empty filter means all."""
        return ScopeFilter(accounts=self.accounts, organizational_units=self.organizational_units)

    def types_among(self, configured: tuple[ContactType, ...]) -> tuple[ContactType, ...]:
        """Return the contact types to synchronize; none for a change or a follow-up of one that is not configured.

        Raises RunRequestError when a person names a contact type that the configuration does not have.
        """
        if self.change:
            return tuple(t for t in configured if t in self.change.contact_types)
        if self.follow_up:
            return tuple(t for t in configured if t in self.contact_types)
        unknown = sorted(set(self.contact_types) - set(configured))
        if unknown:
            problem = f"contact_types: {', '.join(unknown)} not among the configuration's {', '.join(configured)}"
            raise RunRequestError(problems=[problem])
        return tuple(t for t in configured if not self.contact_types or t in self.contact_types)


def parse_request(
    conf: Mapping[str, Any],
    params: Mapping[str, Any],
    *,
    dag_run_id: str,
    triggered_by: str,
    management_account: str,
) -> RunRequest:
    """Read a run's conf and params; raise RunRequestError with every problem.

    Airflow validates params but accepts unknown conf keys, so they are refused here.
    """
    problems = [f"{key}: unknown key; valid keys are {', '.join(PARAMETERS)}" for key in conf if key not in PARAMETERS]
    problems += [
        f"{key}: the run's conf and its params differ"
        for key in PARAMETERS
        if key in conf and conf[key] != params.get(key)
    ]
    values = {key: params[key] for key in PARAMETERS if params.get(key) is not None}
    try:
        request = RunRequest.model_validate({**values, "dag_run_id": dag_run_id, "triggered_by": triggered_by})
    except ValidationError as error:
        problems += [_sentence(problem) for problem in error.errors(include_url=False, include_input=False)]
        raise RunRequestError(problems=problems) from None
    if request.change and request.change.source_account != management_account:
        problems.append("change.source_account: not the management account of this deployment")
    if request.change and (request.contact_types or not request.run_filter.empty):
        problems.append("change: a run for a change takes neither contact_types nor accounts nor organizational_units")
    if problems:
        raise RunRequestError(problems=problems)
    return request


def check_origin(request: RunRequest, origin: RunOrigin, *, trigger_user: str) -> None:
    """Raise RunClaimError for a run that says about itself what it may not say.

    Only the trigger function may say that a change started a run, and who made it; only a report may start a follow-up.
    """
    problems = []
    if request.change and not origin.is_of(trigger_user):
        problems.append(
            f"change: only the trigger function (Airflow's user {trigger_user}) may fill it in, and "
            f"{origin.name} started this run; leave it empty, or see CONTACTSYNC_TRIGGER_USER in docs/settings.md"
        )
    elif request.change and request.dag_run_id != request.change.event_id:
        problems.append(
            "change: the run's id is not the id of its event; the trigger function always uses the event's id"
        )
    claimed = [name for name in ("follow_up", "correlation_id") if getattr(request, name)]
    if claimed and origin.run_type != BY_A_TASK:
        problems.append(f"{', '.join(claimed)}: only the report of another run may fill this in; leave it empty")
    if problems:
        raise RunClaimError(problems=problems)


def _sentence(problem: Any) -> str:  # noqa: ANN401 -- pydantic's ErrorDetails needs pydantic_core at run time
    said = NOT_KNOWN if problem["type"] == "unexpected_keyword_argument" else problem["msg"]
    return f"{'.'.join(str(part) for part in problem['loc'])}: {said}"
