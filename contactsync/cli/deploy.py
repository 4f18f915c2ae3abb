"""`contactsync deploy`: everything to AWS, with a preview before, and progress meanwhile."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

from contactsync.cli.screen.listing import Output, say, show_rows, window
from contactsync.cli.screen.options import choose
from contactsync.cli.screen.values import account_id as checked_account
from contactsync.views.tables import Columns

if TYPE_CHECKING:
    from contactsync.cli.screen.deploy_progress import Progress
    from contactsync.deployment.deploy import Deployer, Preview
    from contactsync.deployment.live import LiveStack
    from contactsync.deployment.release import Release
    from contactsync.deployment.target import Target
    from contactsync.services.deploying import Deploying

DIFFERENCES: Final = 3
STOPPED: Final = 130
COLUMNS: Final = Columns(
    ("stack", "action", "resource", "type", "property", "old", "new"),
    drop=("type",),
    prose=("old", "new"),
)
OUTPUTS: Final = (
    ("airflow", "AirflowUrl", "Airflow"),
    ("monitoring", "DashboardName", "dashboard"),
    ("bus", "EventsTopicArn", "topic of events"),
    ("bus", "NoticesTopicArn", "topic of notices"),
    ("alarms", "AlarmTopicArn", "topic of alarms"),
)
"""Stacks and their outputs that people need, with a name."""

EnvironmentOption = Annotated[
    str | None, typer.Option("--environment", metavar="NAME", help="The environment: dev, staging or prod.")
]
RegionOption = Annotated[
    str | None, typer.Option(help="The AWS region of the deployment, instead of the one in the environment.")
]
ProfileOption = Annotated[
    str | None, typer.Option(help="The AWS profile to use instead of the credentials in the environment.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask. Needed where there is no terminal.")]
PreviewOption = Annotated[
    bool, typer.Option("--preview", help="Only show what would change; exit code 3 if something would.")
]
InterruptOption = Annotated[
    bool,
    typer.Option(
        "--interrupt-runs", help="Update the environment although runs are active. Without it: wait for their end."
    ),
]
TrustedAccessOption = Annotated[
    bool,
    typer.Option(
        "--enable-trusted-access",
        help="Switch on trusted access for Account Management, if it is off; --yes alone does not.",
    ),
]
ReplacementOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LOGICAL_ID",
        help="A table, key, bucket or environment that may be replaced or removed; may be repeated.",
    ),
]


@dataclass(frozen=True)
class Answers:
    """What the person at the command line has decided."""

    only_preview: bool
    yes: bool
    interrupt_runs: bool
    replacements: tuple[str, ...]
    enable_trusted_access: bool = False

    @property
    def can_ask(self) -> bool:
        """Whether questions are wanted, and somebody can answer."""
        return not (self.only_preview or self.yes) and sys.stdin.isatty()

    def check(self) -> None:
        """Raise BadParameter when there is nobody to ask."""
        if not (self.only_preview or self.yes or sys.stdin.isatty()):
            raise typer.BadParameter("there is no terminal to ask on: add --yes, or --preview.")


def deploy(  # noqa: PLR0913 -- a command's options
    context: typer.Context,
    *,
    environment: EnvironmentOption = None,
    account_id: Annotated[
        str, typer.Option(metavar="ID", help="The id of the management account.", callback=checked_account)
    ],
    notification_email: Annotated[
        str | None,
        typer.Option(metavar="MAIL", help="Who gets alarms and notices. Needed for the first deployment only."),
    ] = None,
    packages: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Packages that were built before. Without it they are built from the clone.",
            exists=True,
        ),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A value for a parameter of the templates; may be repeated. Later commands keep it.",
        ),
    ] = None,
    preview: PreviewOption = False,
    yes: YesOption = False,
    interrupt_runs: InterruptOption = False,
    allow_replacement: ReplacementOption = None,
    enable_trusted_access: TrustedAccessOption = False,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """Deploy everything to AWS: show what will change, ask, and follow it to the end.

    Only what has changed is uploaded and updated. If the command is stopped, repeat it: it goes on from there
    (docs/deploying.md).

    Example: `contactsync deploy --environment prod --account-id 111122223333 --notification-email ops@example.com`
    """
    from contactsync.services.deploying import Deploying

    answers = Answers(preview, yes, interrupt_runs, tuple(allow_replacement or ()), enable_trusted_access)
    answers.check()
    environment = environment or context.obj
    if not environment:
        raise typer.BadParameter("--environment is needed: dev, staging or prod.")
    choose(os.environ, profile=profile, region=region)
    values = _values(given or [])
    with _release(packages) as release:
        aws = Deploying.from_environment()
        records = aws.records(environment)
        before = records.newest() if records else None
        email = notification_email or (before.email if before else "")
        if not email:
            raise typer.BadParameter("--notification-email is needed for the first deployment.")
        target = _target(aws, environment, account_id, email, {**(before.given if before else {}), **values})
        carry_out(aws, release, target, answers)


def carry_out(
    aws: "Deploying",
    release: "Release",
    target: "Target",
    answers: Answers,
    first: Callable[[], None] = lambda: None,
) -> None:
    """Preview a deployment, ask, do what comes `first`, carry it out, and look whether it works."""
    from contactsync.cli.screen.deploy_progress import progress_on
    from contactsync.clock import SystemClock
    from contactsync.deployment.preview import check_replacements
    from contactsync.errors import ParameterRefusedError

    console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=window(sys.stderr) is None)
    progress = progress_on(console, SystemClock())
    say(
        f"contactsync {release.version}, commit {release.commit[:12]}, to {target.environment} in {target.region}",
        err=True,
    )
    try:
        deployer = aws.deployer(release.templates, release, target, progress)
    except ParameterRefusedError as error:
        raise typer.BadParameter(str(error)) from None
    with stoppable(deployer), ExitStack() as until_end:
        enables = _check(aws, deployer, answers)
        deployer.for_organization(aws.organization)
        with progress.shown():
            changes = deployer.preview(waits=not answers.only_preview)
        until_end.callback(deployer.discard, changes)
        if not changes.has_changes:
            say("Nothing to do: everything is deployed already.", err=True)
            if answers.only_preview:
                return
            live = changes.live
            _enable(aws, enables)
            deployer.note(live)
        else:
            _show(changes)
            check_replacements(changes.change_sets, answers.replacements)
            _ask(answers)
            first()
            _enable(aws, enables)
            with _explained(aws, deployer):
                live = _deployed(deployer, changes, answers, progress)
        _finish(aws, target, deployer, live, progress)


def _check(aws: "Deploying", deployer: "Deployer", answers: Answers) -> bool:
    """Make the checks; end when one fails. Return whether trusted access is to be switched on."""
    from contactsync.checks.findings import Fix, State

    found = list(aws.findings(deployer, may_enable_trusted_access=answers.enable_trusted_access))
    enables = any(one.fix is Fix.ENABLE_TRUSTED_ACCESS for one in found if one.is_ok)
    for one in found:
        if one.state is State.UNKNOWN:
            say(f"? {one.sentence} {one.remedy}", err=True)
    failed = [one for one in found if one.state is State.FAILED]
    if [one.fix for one in failed] == [Fix.ENABLE_TRUSTED_ACCESS] and answers.can_ask:
        say(failed[0].sentence, err=True)
        if typer.confirm("Switch it on?", err=True):
            return True
    for one in failed:
        say(f"✗ {one.sentence} {one.remedy}", err=True)
    if failed:
        say("Nothing was changed.", err=True)
        raise typer.Exit(1)
    return enables


def _enable(aws: "Deploying", enables: bool) -> None:  # noqa: FBT001 -- the answer of _check
    if enables:
        aws.enable_trusted_access()
        say("Trusted access for Account Management is on.", err=True)


def _ask(answers: Answers) -> None:
    if answers.only_preview:
        raise typer.Exit(DIFFERENCES)
    if not (answers.yes or typer.confirm("Deploy this?", err=True)):
        say("Nothing was changed.", err=True)
        raise typer.Exit(1)


def _deployed(
    deployer: "Deployer", changes: "Preview", answers: Answers, progress: "Progress"
) -> "Mapping[str, LiveStack]":
    from contactsync.deployment.deploy import Permissions

    with progress.shown():
        return deployer.carry_out(changes, Permissions(answers.replacements, interrupt_runs=answers.interrupt_runs))


@contextmanager
def _explained(aws: "Deploying", deployer: "Deployer") -> Iterator[None]:
    """Add to the failure of an environment what is wrong with what it is made of."""
    from contactsync.deployment.deploy import AIRFLOW
    from contactsync.errors import ContactSyncError, StackFailedError
    from contactsync.stacks.stacks import stack_name

    try:
        yield
    except StackFailedError as error:
        if error.stack == stack_name(deployer.blueprint.target.environment, AIRFLOW):
            with suppress(ContactSyncError):  # the failure itself is what matters
                for one in aws.why_environment_failed(deployer):
                    say(f"{'?' if one.state == 'unknown' else '✗'} {one.sentence} {one.remedy}", err=True)
        raise


@contextmanager
def stoppable(deployer: "Deployer") -> Iterator[None]:
    """End with a sentence after Ctrl-C: what goes on at AWS, and how to follow it."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"\nStopped. {deployer.running} Repeat the same command: it goes on from there.", err=True)
        raise typer.Exit(STOPPED) from None


def _show(changes: "Preview") -> None:
    rows: list[dict[str, Any]] = [{**asdict(row), "property": row.name} for row in changes.rows]
    if rows:
        show_rows(COLUMNS, rows, Output.TABLE, alarming=lambda row: row["action"].startswith(("replace", "remove")))
    names = [put.name for put in changes.uploads.puts]
    if names:
        say(f"to upload: {', '.join(names)}")
    if changes.uploads.removed:
        say(f"to remove from the bucket: {', '.join(changes.uploads.removed)}")
    for sentence in (*changes.notes, changes.environment):
        if sentence:
            say(sentence)


def _finish(
    aws: "Deploying", target: "Target", deployer: "Deployer", live: "Mapping[str, LiveStack]", progress: "Progress"
) -> None:
    """Store a first configuration, say where all is, look whether Airflow has the DAGs, and what a person does next."""
    content = deployer.blueprint.file.configuration
    version = aws.store_first_configuration(target, content)
    if version:
        say(f"The first configuration is stored as version {version}.", err=True)
    prefix = f"contactsync-{target.environment}-"
    outputs = {name.removeprefix(prefix): stack.outputs for name, stack in live.items()}
    for stack, output, name in OUTPUTS:
        if value := outputs.get(stack, {}).get(output):
            say(f"{name}: {value}")
    with progress.shown():
        aws.health(progress).check_dags(outputs["airflow"]["EnvironmentName"])
    say(
        f"Deployed. If {target.email} got mails of AWS about subscriptions, confirm them. Then look whether all is "
        f"well: `contactsync validate --environment {target.environment}`",
        err=True,
    )


def _target(aws: "Deploying", environment: str, account: str, email: str, given: Mapping[str, str]) -> "Target":
    from contactsync.deployment.target import Target

    return Target(environment, aws.region, account, email=email, given=dict(given))


def _values(texts: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"--set {text}: NAME=VALUE is expected.")
        if values.setdefault(name, value) != value:
            raise typer.BadParameter(f"--set {name}: two values are given.")
    return values


@contextmanager
def _release(packages: Path | None) -> Iterator["Release"]:
    """Give the packages of a folder, or build them into one that is removed afterwards."""
    from contactsync.deployment.release import read_release

    if packages is not None:
        yield read_release(packages)
        return
    from contactsync.packaging.clone import Clone
    from contactsync.packaging.packages import Build

    clone = Clone.at(Path(__file__).resolve().parents[2])
    with tempfile.TemporaryDirectory(prefix="contactsync-") as scratch:
        folder = Path(scratch) / "packages"
        Build(clone, lambda doing: say(f"{doing} ...", err=True)).into(folder)
        yield read_release(folder)
