"""What is wrong with a deployment as a command finds it."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contactsync.errors.remedies import Blame
from contactsync.errors.root import ContactSyncError


@dataclass(eq=False)
class EnvironmentUnknownError(ContactSyncError):
    """Raised when no stack of this environment is in the regions where it would be."""

    environment: str
    regions: Sequence[str]
    known: Sequence[str]
    """The environments that are there."""
    blame = Blame.ELSEWHERE

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        there = f"the environments are {', '.join(self.known)}" if self.known else "there is no other environment"
        nearest = difflib.get_close_matches(self.environment, self.known, n=1)
        meant = f" (did you mean {nearest[0]}?)" if nearest else ""
        return (
            f"There is no stack contactsync-{self.environment}-state in {' and '.join(self.regions)}; {there}. Check "
            f"the environment's name{meant}, the account, the profile and the region."
        )


@dataclass(eq=False)
class PackagesUnusableError(ContactSyncError):
    """Raised when a folder of packages is not what its manifest says."""

    path: str
    problem: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"The packages in {self.path} cannot be deployed: {self.problem}. Build them again with `contactsync "
            "package`, or copy the whole folder once more."
        )


@dataclass(eq=False)
class DeploymentFileError(ContactSyncError):
    """Raised when a template, or a file that says how templates are deployed, cannot be used."""

    path: str
    """The path among the templates."""
    problem: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return f"infra/{self.path} {self.problem.rstrip('.')}. Correct the file, and build the packages again."


@dataclass(eq=False)
class ParameterRefusedError(ContactSyncError):
    """Raised when a value that was given for a parameter cannot be used."""

    parameter: str
    problem: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return f"--set {self.parameter}: {self.problem}{'' if self.problem.endswith('?') else '.'}"


@dataclass(eq=False)
class ParametersMissingError(ContactSyncError):
    """Raised when a stack cannot be deployed because nothing gives some of its parameters a value."""

    stack: str
    parameters: Sequence[str]

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        sets = " ".join(f"--set {name}=VALUE" for name in self.parameters)
        return (
            f"Nothing gives {self.stack} a value for {' and '.join(self.parameters)}. Repeat the command with {sets}."
        )


@dataclass(eq=False)
class ReplacementRefusedError(ContactSyncError):
    """Raised when a change would replace or remove what holds data, or the environment."""

    resources: Sequence[str]
    """What would happen, such as `contactsync-prod-state: StateTable (AWS::DynamoDB::Table) is replaced`."""
    names: Sequence[str]
    """Their logical ids."""

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        allowed = " ".join(f"--allow-replacement {name}" for name in self.names)
        return (
            f"Nothing was changed in these stacks: {'; '.join(self.resources)}. Tables, keys, buckets and the "
            f"environment are replaced or removed only if you name them: {allowed}."
        )


@dataclass(eq=False)
class ChangeSetFailedError(ContactSyncError):
    """Raised when CloudFormation refuses a change before it begins."""

    stack: str
    reason: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"CloudFormation refuses the change of {self.stack}, and nothing of it was done: {self.reason.rstrip('.')}."
            " Remove the cause, then repeat the command."
        )


@dataclass(eq=False)
class StackFailedError(ContactSyncError):
    """Raised when the creation or the update of a stack has failed."""

    stack: str
    region: str
    state: str
    """CloudFormation's status of the stack."""
    causes: Sequence[str]
    """What CloudFormation said about the resources that failed, the first one first."""

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        why = "; ".join(one.rstrip(".") for one in self.causes) or "CloudFormation's events name no cause"
        return (
            f"{self.stack} in {self.region} ended as {self.state}: {why}. Remove the cause, then repeat the same "
            "command: it goes on from here."
        )


@dataclass(eq=False)
class DeployRunningError(ContactSyncError):
    """Raised when somebody else deploys the same environment at this moment."""

    holder: str
    """The ARN of whoever deploys."""
    host: str
    since: datetime

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"{self.holder} deploys this environment since {self.since:%Y-%m-%d %H:%M} UTC, from {self.host}. Wait "
            "until that command has ended. If it was killed, its lock ends five minutes later: then repeat the command."
        )


@dataclass(eq=False)
class DeployCutOffError(ContactSyncError):
    """Raised when a deployment cannot be followed any more, while CloudFormation goes on."""

    sentence: str
    """Why."""
    running: str
    """What goes on without the command."""

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return f"{self.sentence} {self.running} Then repeat the same command: it goes on from there."


@dataclass(eq=False)
class EnvironmentUnhealthyError(ContactSyncError):
    """Raised when everything is deployed, and Airflow does not answer or has not read its DAG files."""

    environment: str
    problems: Sequence[str]
    """What is missing, or the files that cannot be imported with their errors."""

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"Everything is deployed, but the DAG files of {self.environment} are not in order: "
            f"{'; '.join(self.problems)}. Look again with `contactsync validate`, and see the log of the requirements' "
            "installation: the streams requirements_install_* of its log groups."
        )


@dataclass(eq=False)
class ReleaseUnknownError(ContactSyncError):
    """Raised when there is no release to go back to."""

    release: str
    """The one that was named; empty for the one before."""
    known: Sequence[str]
    nearest: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        if not self.release:
            return "There is no earlier release in the bucket for code that differs from the present one."
        there = f"the releases are {', '.join(self.known)}" if self.known else "no release was deployed to the end"
        meant = f" Do you mean {self.nearest}?" if self.nearest else ""
        return f"There is no release {self.release}; {there}.{meant} Name one with --to; --list lists them all."


@dataclass(eq=False)
class DataTooNewError(ContactSyncError):
    """Raised when an earlier release cannot read what a newer one may have written."""

    release: str
    reads: int
    """The form of data that it knows."""
    written: int
    """The form that is stored."""

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"Release {self.release} reads data of form {self.reads}, and a newer release may have written form "
            f"{self.written}: it is not deployed. Correct the newer release and deploy it again."
        )


@dataclass(eq=False)
class StacksProtectedError(ContactSyncError):
    """Raised when stacks are to be deleted whose termination protection is on."""

    stacks: Sequence[str]

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"Nothing was deleted: termination protection is on for {', '.join(self.stacks)}. Switch it off first, for "
            "each stack: aws cloudformation update-termination-protection --no-enable-termination-protection "
            "--stack-name NAME."
        )
