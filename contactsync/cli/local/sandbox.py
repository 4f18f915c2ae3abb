"""The commands `contactsync sandbox ...`: run a simulated AWS organization, and show and change it while it runs."""

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, get_args
from urllib.parse import quote

import typer

from contactsync.cli.env_file import env_file
from contactsync.cli.local.end_signal import end_signal
from contactsync.cli.local.sandbox_address import DEFAULT_URL as _DEFAULT_URL
from contactsync.cli.local.sandbox_address import Url
from contactsync.cli.local.sandbox_inbox import show_inbox
from contactsync.cli.local.sandbox_resources import resource_commands
from contactsync.cli.screen.commands import CommandGroup
from contactsync.cli.screen.listing import Output, OutputOption, say, show_facts, show_rows
from contactsync.errors import FileNotWrittenError
from contactsync.views.tables import Columns

if TYPE_CHECKING:
    from contactsync.sandbox.scenario.scenario import Scenario
    from contactsync.sandbox.server import Sandbox

_TIMEOUT = 30  # seconds
_FOLLOW_SECONDS = 1.0
_TEMPLATES = (Path("infra"), Path(__file__).resolve().parents[3] / "infra")
_CLIENT_ERROR = 400
_MARK = "X-Contactsync-Sandbox"
"""The header of every answer of a sandbox."""

STATUS = Columns(("what", "value"))
CALLS = Columns(
    ("sequence", "time", "service", "operation", "account", "caller_account", "status", "error_code"),
    drop=("caller_account", "service", "sequence", "time"),
)
FAULTS = Columns(
    ("id", "service", "operation", "account", "error", "stage", "probability", "delay", "count", "struck"),
    drop=("delay", "probability", "stage", "count", "service", "struck"),
)
EVENTS = Columns(("id", "time", "event_name", "rules", "deliveries"), drop=("rules", "time"))

app = CommandGroup("Run and control a simulated AWS organization.")
faults_app = CommandGroup("Add errors, lost connections and slow answers on purpose.")
app.add_typer(faults_app, name="faults")

AccountState = Literal["PENDING_ACTIVATION", "ACTIVE", "SUSPENDED", "PENDING_CLOSURE", "CLOSED"]


@app.command("start", epilog="Example: contactsync sandbox start --accounts 200 --ready-file sandbox.json")
def start(
    *,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="The port; 0 means any free port. [default: 4599, or a free port if it is in use]"
        ),
    ] = None,
    scenario: Annotated[
        Path | None, typer.Option(help="A scenario file (YAML, docs/sandbox.md).", metavar="FILE")
    ] = None,
    accounts: Annotated[
        int | None,
        typer.Option(min=0, max=10_000, help="The number of member accounts. [default: 25, or as in the scenario]"),
    ] = None,
    templates: Annotated[
        Path | None,
        typer.Option(
            help="The CloudFormation templates to deploy. [default: infra of the clone]", file_okay=False, exists=True
        ),
    ] = None,
    functions: Annotated[
        Path | None,
        typer.Option(
            help="Run the Lambda functions from the zips in this folder, which `contactsync package "
            "--platform this-machine` builds, and let them see nothing else. [default: the modules of the clone]",
            file_okay=False,
            exists=True,
        ),
    ] = None,
    ready_file: Annotated[
        Path | None,
        typer.Option(
            help="Write the endpoint to this file when all is ready; it is removed at the end.", metavar="FILE"
        ),
    ] = None,
) -> None:
    """Run the sandbox until Ctrl-C or SIGTERM."""
    with (
        end_signal() as wait_for_end,
        _started(scenario, accounts, port, templates or _own_templates(), functions) as sandbox,
        _ready(ready_file, sandbox),
        _sourced(sandbox) as file,
    ):
        typer.echo(_usage(sandbox, file))
        wait_for_end()


@app.command("status", epilog="Example: contactsync sandbox status --url http://127.0.0.1:4599")
def status(url: Url = _DEFAULT_URL, *, output: OutputOption = Output.TABLE) -> None:
    """Show the state of the sandbox: organization, scenario, stacks, Airflow."""
    answer = _call(url, "GET", "/status")
    rows = {
        "endpoint": answer["endpoint_url"],
        "management account": answer["management_account"],
        "accounts": ", ".join(f"{count} {state}" for state, count in answer["states"].items()),
        "trusted access": "on" if answer["trusted_access"] else "off",
        "quotas": answer["scenario"]["quotas"],
        "stacks": ", ".join(stack["name"] for stack in answer["stacks"]) or "none",
        "Airflow": ", ".join(answer["airflow"]) or "not registered",
    }
    if output is Output.TABLE:
        show_facts(rows.items())
    else:
        _show(answer, STATUS, [{"what": what, "value": value} for what, value in rows.items()], output)


@app.command(
    "calls", epilog="Example: contactsync sandbox calls --operation PutAlternateContact --error '*' --limit 20"
)
def calls(  # noqa: PLR0913 - each is an independent filter
    url: Url = _DEFAULT_URL,
    *,
    service: Annotated[str | None, typer.Option(help="Only calls of this service, such as account.")] = None,
    operation: Annotated[str | None, typer.Option(help="Only this API operation, such as PutAlternateContact.")] = None,
    account: Annotated[str | None, typer.Option(help="Only calls that read or change this account.")] = None,
    caller: Annotated[
        str | None, typer.Option(help="Only calls by this account, or by ARNs that contain this.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Only calls after this sequence number or time.")] = None,
    error: Annotated[
        str | None, typer.Option(help="Only calls with this error code; * means all failed calls.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many, the latest.")] = 50,
    clear: Annotated[bool, typer.Option("--clear", help="Delete all recorded calls instead.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the AWS calls that reached the sandbox, without contact values."""
    if clear:
        _call(url, "DELETE", "/calls")
        return
    filters = {"service": service, "operation": operation, "account": account, "caller": caller, "since": since}
    wanted = {
        name: value for name, value in {**filters, "error": error, "limit": str(limit)}.items() if value is not None
    }
    recorded = _call(url, "GET", "/calls", query=wanted)["calls"]
    _show(recorded, CALLS, recorded, output)


@faults_app.command("list", epilog="Example: contactsync sandbox faults list")
def list_faults(url: Url = _DEFAULT_URL, *, output: OutputOption = Output.TABLE) -> None:
    """List the faults, and how many calls each has affected."""
    faults = _call(url, "GET", "/faults")["faults"]
    _show(faults, FAULTS, faults, output)


@faults_app.command(
    "add",
    epilog="Example: contactsync sandbox faults add --operation PutAlternateContact "
    "--error TooManyRequestsException --count 3",
)
def add_fault(  # noqa: PLR0913 - each is a property of a fault
    url: Url = _DEFAULT_URL,
    *,
    service: Annotated[str, typer.Option(help="Calls of this service, such as account; * means all.")] = "account",
    operation: Annotated[
        str | None, typer.Option(help="Calls of this API operation, such as PutAlternateContact. Without it: all.")
    ] = None,
    account: Annotated[
        str | None, typer.Option(help="Calls that read or change this account. Without it: all.")
    ] = None,
    error: Annotated[
        str | None, typer.Option(help="An error code, or ConnectionDropped. Without it: only a delay.")
    ] = None,
    status_code: Annotated[
        int | None,
        typer.Option(
            "--status", min=400, max=599, help="The HTTP status. Without it: the one that AWS uses for this code."
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="The number of calls to affect. Without it: no limit.")
    ] = None,
    probability: Annotated[float, typer.Option(min=0, max=1, help="The share of the calls to affect.")] = 1.0,
    seed: Annotated[int, typer.Option(help="With the same seed, the same calls are chosen.")] = 1,
    delay: Annotated[float, typer.Option(min=0, help="Seconds to wait before the answer.")] = 0.0,
    stage: Annotated[
        Literal["before", "after", "entry"],
        typer.Option(
            help="before: AWS never gets the call; after: only its answer is replaced; entry: entries of a batch fail."
        ),
    ] = "before",
    containing: Annotated[
        str | None, typer.Option(help="Only calls with this text in their parameters, or in an entry of a batch.")
    ] = None,
) -> None:
    """Make calls fail or wait from now on."""
    fault = {
        "service": service,
        "operation": operation,
        "account": account,
        "error": error,
        "status": status_code,
        "count": count,
        "probability": probability,
        "seed": seed,
        "delay": delay,
        "stage": stage,
        "containing": containing,
    }
    typer.echo(_call(url, "POST", "/faults", body=fault)["faults"][0]["id"])


@faults_app.command("clear", epilog="Example: contactsync sandbox faults clear fault-1")
def clear_faults(
    fault: Annotated[
        str | None, typer.Argument(help="The id of a fault. Without it: all faults.", show_default=False)
    ] = None,
    url: Url = _DEFAULT_URL,
) -> None:
    """Remove one fault or all faults."""
    _call(url, "DELETE", f"/faults/{quote(fault, safe='')}" if fault else "/faults")


@app.command("events", epilog="Example: contactsync sandbox events --matched true")
def events(
    url: Url = _DEFAULT_URL,
    *,
    account: Annotated[str | None, typer.Option(help="Only events of this account.")] = None,
    matched: Annotated[
        Literal["true", "false"] | None,
        typer.Option(help="true: only events that a rule selected; false: only others."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many, the latest.")] = 50,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the CloudTrail events, the rules that selected them and the result of each delivery."""
    query = {name: value for name, value in {"account": account, "matched": matched}.items() if value is not None}
    events_shown = _call(url, "GET", "/events", query=query)["events"][-limit:]
    _show(events_shown, EVENTS, [_event_row(item) for item in events_shown], output)


@app.command("inbox", epilog="Example: contactsync sandbox inbox --channel email --full")
def inbox(
    url: Url = _DEFAULT_URL,
    *,
    channel: Annotated[
        Literal["email", "sms", "chat", "user-notifications"] | None, typer.Option(help="Only this channel.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Show the texts, and which messages AWS would have dropped.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Also show new messages as they arrive, until Ctrl-C.")
    ] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Delete all messages instead.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what people would have received: mails, text and chat messages, User Notifications."""
    if clear:
        _call(url, "DELETE", "/inbox")
        return
    with contextlib.suppress(KeyboardInterrupt):
        for number, answer in enumerate(_inbox_answers(url, channel, follow=follow)):
            show_inbox(answer, output, full=full, in_lines=follow, goes_on=number > 0)


@app.command("trusted-access", epilog="Example: contactsync sandbox trusted-access off")
def trusted_access(
    switch: Annotated[Literal["on", "off"], typer.Argument(help="on or off")], url: Url = _DEFAULT_URL
) -> None:
    """Switch trusted access for Account Management on or off."""
    _call(url, "PUT", "/trusted-access", body={"enabled": switch == "on"})


@app.command("account-state", epilog="Example: contactsync sandbox account-state 444455556666 SUSPENDED")
def account_state(
    account: Annotated[str, typer.Argument(help="The account's id.")],
    state: Annotated[
        AccountState,
        typer.Argument(metavar="STATE", help=f"The new state: {', '.join(get_args(AccountState))}."),
    ],
    url: Url = _DEFAULT_URL,
) -> None:
    """Suspend, close or reactivate an account."""
    _call(url, "PUT", f"/accounts/{quote(account, safe='')}/state", body={"state": state})


@contextlib.contextmanager
def _started(
    scenario: Path | None, accounts: int | None, port: int | None, templates: Path | None, functions: Path | None
) -> "Iterator[Sandbox]":
    """Start a sandbox, and stop it at the end; if it cannot start, end the command with a sentence."""
    from contactsync.isolation import isolate

    isolate()
    # moto takes more than a second to import, which the other commands need not wait for
    from contactsync.sandbox.scenario.scenario import ScenarioError
    from contactsync.sandbox.server import FunctionCodeError, PortTakenError, Sandbox
    from contactsync.stacks.templates import TemplateError

    try:
        sandbox = Sandbox(_scenario(scenario, accounts), port=port, templates=templates, functions=functions)
        sandbox.start()
    except (FunctionCodeError, PortTakenError, ScenarioError, TemplateError) as error:
        _fail(f"The sandbox did not start: {error}")
    try:
        yield sandbox
    finally:
        sandbox.stop()


@contextlib.contextmanager
def _ready(path: Path | None, sandbox: "Sandbox") -> Iterator[None]:
    """Write the ready file, and remove it when the sandbox stops."""
    if path is None:
        yield
        return
    try:
        _write_ready_file(path, sandbox)
    except OSError as error:
        _fail(f"{path} cannot be written: {error.strerror}.")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _sourced(sandbox: "Sandbox") -> Iterator[Path]:
    """Write the file to source, and remove it at the end; if that fails, end the command with a sentence."""
    from contactsync.cli.local.local_system import product_environment

    try:
        variables = product_environment(sandbox)
    except KeyError:  # other templates need not have the outputs of ours
        variables = sandbox.environment()
    try:
        with env_file(variables, sandbox.endpoint_url) as file:
            yield file
    except FileNotWrittenError as error:
        _fail(str(error))


def _own_templates() -> Path | None:
    return next((place for place in _TEMPLATES if place.is_dir()), None)


def _scenario(path: Path | None, accounts: int | None) -> "Scenario":
    from contactsync.sandbox.scenario.scenario import Scenario, load_scenario, parse_scenario

    scenario = load_scenario(path) if path else Scenario()
    if accounts is None:
        return scenario
    content = scenario.model_dump(exclude_unset=True)
    content["organization"] = {**content.get("organization", {}), "accounts": accounts}
    return parse_scenario(content)


def _usage(sandbox: "Sandbox", file: Path) -> str:
    members = sandbox.scenario.organization.accounts
    return (
        f"The sandbox runs at {sandbox.endpoint_url}:\n"
        f"management account {sandbox.management_account}, "
        f"{members} generated member{'' if members == 1 else 's'}, {len(sandbox.stacks)} stacks.\n\n"
        f"In another terminal:  . {file} && contactsync sandbox status\n\n"
        "There, change a contact of the management account, with any AWS client:\n"
        '  python -c \'import boto3; boto3.client("account").put_alternate_contact(\n'
        '    AlternateContactType="SECURITY", Name="Sam Example", Title="Security",\n'
        '    EmailAddress="security@example.com", PhoneNumber="+1 555 0100")\'\n\n'
        "See the calls, the event of the change, and the result of its delivery:\n"
        "  contactsync sandbox calls\n"
        "  contactsync sandbox events\n\n"
        "Store a first configuration, as in a deployment:\n"
        "  contactsync config init\n\n"
        "This sandbox has no Airflow, so no run starts; `make run` starts both.\n"
        "Press Ctrl-C to stop the sandbox."
    )


def _write_ready_file(path: Path, sandbox: "Sandbox") -> None:
    content = {"endpoint_url": sandbox.endpoint_url, "process_id": os.getpid(), "environment": sandbox.environment()}
    partial = path.with_name(f"{path.name}.partial")  # renamed, so that nobody reads half of it
    partial.write_text(json.dumps(content, indent=2), encoding="utf-8")
    partial.replace(path)


def _call(url: str, method: str, path: str, *, query: dict[str, str] | None = None, body: object = None) -> Any:  # noqa: ANN401 -- the control API's JSON
    """Return the answer of the control API, or end the command with its sentence."""
    import requests  # an installed wheel need not have it
    from urllib3.exceptions import LocationValueError

    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy leads to an address of this machine
            answer = session.request(
                method, f"{url.rstrip('/')}/_sandbox{path}", params=query, json=body, timeout=_TIMEOUT
            )
    except (requests.RequestException, LocationValueError):  # the second is raised for a bad name of a host
        _fail(
            f"No sandbox answers at {url}; start one with `contactsync sandbox start`, or give its address with --url."
        )
    if _MARK not in answer.headers:
        _fail(f"What listens at {url} is no sandbox; give its address with --url.")
    document = answer.json()
    if answer.status_code >= _CLIENT_ERROR:
        _fail(document.get("error", f"The sandbox answered {answer.status_code}."))
    return document


def _fail(message: str) -> NoReturn:
    say(f"contactsync: {message}", err=True)
    raise typer.Exit(1)


def _show(content: object, columns: Columns, rows: list[dict[str, Any]], output: Output) -> None:
    """Write rows; JSON is the whole answer of the sandbox."""
    if output is Output.JSON:
        typer.echo(json.dumps(content, indent=2))
    else:
        show_rows(columns, rows, output, alarming=lambda row: bool(row.get("error_code")))


def _inbox_answers(url: str, channel: str | None, *, follow: bool) -> Iterator[dict[str, Any]]:
    """Yield the messages; with `follow`, go on with new ones, once a second and without an end."""
    query = {} if channel is None else {"channel": channel}
    answer = _call(url, "GET", "/inbox", query=query)
    yield answer
    last = 0
    while follow:
        last = max([last, *(message["sequence"] for message in answer["messages"])])
        time.sleep(_FOLLOW_SECONDS)
        answer = _call(url, "GET", "/inbox", query={**query, "since": str(last)})
        if answer["messages"]:
            yield answer


def _event_row(event: dict[str, Any]) -> dict[str, Any]:
    rules = [str(rule).rpartition("/")[2] for rule in event["rules"]]
    deliveries = [f"{note.get('step')} {note.get('result')}" for note in event["deliveries"]]
    return {
        "id": event["id"],
        "time": event["event"].get("time"),
        "event_name": event["event_name"],
        "rules": "dropped" if event["dropped"] else ", ".join(rules),
        "deliveries": "\n".join(deliveries),
    }


app.add_typer(resource_commands(_call, _show), name="resources")
