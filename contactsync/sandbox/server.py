"""The sandbox in this process: organization, AWS services, control API and events behind one port."""

import threading
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import boto3
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from pydantic import SecretStr

from contactsync.isolation import isolated_session, local_environment
from contactsync.sandbox.access.enforcement import RolePolicies
from contactsync.sandbox.access.left_out_roles import add_left_out_roles
from contactsync.sandbox.control.control import Control, offer_calls, offer_conditions
from contactsync.sandbox.control.inbox_control import offer_inbox
from contactsync.sandbox.control.loop_control import offer_loop
from contactsync.sandbox.control.organization_control import offer_organization
from contactsync.sandbox.dynamodb import moto_dynamodb
from contactsync.sandbox.functions.function_code import FunctionCodeError
from contactsync.sandbox.loop.loop import Loop, respond_as_mwaa
from contactsync.sandbox.loop.mwaa import AirflowEnvironment
from contactsync.sandbox.organization import account_api, organization
from contactsync.sandbox.organization.account_api import AccountApi
from contactsync.sandbox.organization.organization import OrganizationState
from contactsync.sandbox.requests.authorization import Authorization, EverythingAllowed
from contactsync.sandbox.requests.call_log import CallLog
from contactsync.sandbox.requests.callers import Callers, session_variables
from contactsync.sandbox.requests.faults import Faults, FaultSettings
from contactsync.sandbox.requests.http_server import HttpServer
from contactsync.sandbox.requests.latency import Latency, LatencySettings
from contactsync.sandbox.requests.listening import HOST, PortTakenError
from contactsync.sandbox.requests.middleware import Conditions, Middleware
from contactsync.sandbox.requests.quotas import Quotas, QuotaSettings
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.stacks.templates import Stack, deploy
from contactsync.sandbox.stacks.templates import outputs as merged_outputs

__all__ = ["MWAA_ENVIRONMENT", "FunctionCodeError", "PortTakenError", "Sandbox", "SandboxRunningError"]

REGION = "us-east-1"
MWAA_ENVIRONMENT = "contactsync-local"
_CHECKOUT = Path(__file__).parents[2]
_one_at_a_time = threading.Lock()


class SandboxRunningError(Exception):
    """Another sandbox runs in this process; moto's state is shared by the whole process."""

    def __init__(self) -> None:
        super().__init__("another sandbox runs in this process; stop it first")


class Sandbox:
    """One simulated organization; it is started and stopped once, by `start` and `stop` or by a `with` statement."""

    def __init__(
        self,
        scenario: Scenario | None = None,
        *,
        port: int | None = 0,
        templates: Path | None = None,
        parameters: Mapping[str, str] | None = None,
        code_root: Path = _CHECKOUT,
        functions: Path | None = None,
    ) -> None:
        """Build the sandbox without starting it.

        Port 0 is any free one; None is the preferred one, or a free one when it is taken. `templates` is a directory of
        CloudFormation templates to deploy, `parameters` adds to or replaces the values of their parameters, and the
        functions' code is imported from `code_root`. With `functions`, a folder of zips for this machine, the
        templates' functions are deployed from it, and every function runs from its own zip and sees nothing else.
        """
        self.scenario = scenario or Scenario()
        self.templates = templates
        self.stacks: list[Stack] = []
        self.call_log = CallLog()
        self.management_account = self.scenario.organization.management_account
        self.conditions = _conditions(self.scenario, self._authorization())
        self._parameters = {**self._default_parameters(), **(parameters or {})}
        self._functions = functions
        self._port = port
        self._server: HttpServer | None = None
        self._organization: OrganizationState | None = None
        self._handed_over = ExitStack()
        self.loop = Loop(
            self.scenario.events,
            code_root=None if functions else code_root,
            management_account=self.management_account,
            faults=self.conditions.faults,
            stack_settings=self.scenario.stacks,
        )
        self.call_log.subscribe(self.loop.on_call)
        self.control = self._control()
        self._middleware = Middleware(
            _Moto(create_backend_app),
            control=self.control,
            callers=Callers(self.management_account),
            conditions=self.conditions,
            call_log=self.call_log,
            mwaa=lambda request, account: respond_as_mwaa(self.loop, request, account),
        )

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.port if self._server else self._port or 0

    @property
    def endpoint_url(self) -> str:
        """The URL for AWS clients."""
        return f"http://{HOST}:{self.port}"

    @property
    def organization(self) -> OrganizationState:
        """The organization as it is now; raises RuntimeError when the sandbox does not run."""
        if self._organization is None:
            message = "the sandbox does not run"
            raise RuntimeError(message)
        return self._organization

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs of all stacks."""
        return merged_outputs(self.stacks)

    def environment(self) -> dict[str, str]:
        """Return the variables that let AWS clients use the sandbox, as a user of the management account."""
        return {
            **local_environment(self.endpoint_url),
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_DEFAULT_REGION": REGION,
        }

    def register_airflow(
        self, base_url: str, username: str | None = None, password: str = "", *, environment: str = MWAA_ENVIRONMENT
    ) -> None:
        """Use an Airflow as the MWAA environment that the templates name, or as another one."""
        secret = SecretStr(password) if username is not None else None
        self.loop.mwaa.register(
            AirflowEnvironment(environment=environment, base_url=base_url, username=username, password=secret)
        )

    def environment_of_role(self, role_arn: str, session_name: str) -> dict[str, str]:
        """Return the variables with the keys of a new session of a role, which may do what its policies allow."""
        return session_variables(role_arn, session_name, REGION)

    def session(self) -> boto3.Session:
        """Return a session of the management account; its clients still need the endpoint URL."""
        return boto3.Session("sandbox", "sandbox", region_name=REGION, botocore_session=isolated_session())

    def start(self) -> None:
        """Build the organization, answer requests and deploy the templates.

        Raises PortTakenError, TemplateError, or FunctionCodeError for a zip that functions cannot run from.
        """
        if not _one_at_a_time.acquire(blocking=False):
            raise SandboxRunningError
        try:
            self._middleware.start()
            self._server = HttpServer(self._middleware, self._port)
            _reset_moto()
            self._organization = self._hand_over()
            self._server.start()
            self.loop.start(self.endpoint_url)
            if self.templates is not None:
                self._deploy(self.templates)
        except BaseException:  # also Ctrl-C: nothing that was started may be left
            self._end()
            raise

    def stop(self) -> None:
        """End every thread and process of the sandbox and forget its state; does nothing when it does not run."""
        if self._server is not None:
            self._end()

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def _hand_over(self) -> OrganizationState:
        self._handed_over.enter_context(moto_dynamodb.handover.to(None))
        built = organization.build(self.scenario)
        self._handed_over.callback(built.close)
        self._handed_over.enter_context(account_api.handover.to(AccountApi(built)))
        return built

    def _end(self) -> None:
        try:
            self._middleware.stop()
            self.loop.stop()
            if self._server is not None:
                self._server.stop()
        finally:
            self._server = None
            self._restore_moto()
            _one_at_a_time.release()

    def _restore_moto(self) -> None:
        self._organization = None
        self._handed_over.close()
        _reset_moto()

    def _deploy(self, templates: Path) -> None:
        self.stacks = deploy(
            templates,
            session=self.session(),
            endpoint_url=self.endpoint_url,
            parameters=self._all_parameters(),
            functions=self._functions,
        )
        self._add_left_out_roles(templates)
        self.call_log.clear()

    def _add_left_out_roles(self, templates: Path) -> None:
        client = self.session().client("cloudformation", endpoint_url=self.endpoint_url)
        outputs = {stack.name: stack.outputs for stack in self.stacks}
        for name, template, made in add_left_out_roles(
            templates, client, region=REGION, outputs=outputs, parameters=self._all_parameters()
        ):
            self.stacks.append(Stack(name, template, made))

    def _all_parameters(self) -> dict[str, str]:
        return {"OrganizationId": self.organization.organization_id, **self._parameters}

    def _default_parameters(self) -> dict[str, str]:
        return {
            "Environment": "local",
            "ManagementAccountId": self.management_account,
            "MwaaEnvironmentName": MWAA_ENVIRONMENT,
            "MwaaRegion": REGION,
            "CodeKey": "lambda-trigger.zip",
            "SubscriberCodeKey": "lambda-subscribers.zip",
            "NoticesEmail": "operators@example.com",
            "NoticesPhoneNumber": "+12065550100",
            "SlackWorkspaceId": "T0SANDBOX",
            "SlackChannelId": "C0OPERATORS",
        }

    def _authorization(self) -> Authorization:
        if not self.scenario.permissions.enforced:
            return EverythingAllowed()
        return RolePolicies(self.management_account, lambda: self.organization.organization_id)

    def _control(self) -> Control:
        control = Control()
        offer_calls(control, self.call_log)
        offer_conditions(control, self.conditions)
        offer_organization(control, self)
        offer_inbox(control, self.loop.inbox)
        offer_loop(control, self.loop)
        return control


class _Moto(DomainDispatcherApplication):  # type: ignore[misc] # moto is untyped
    """moto's dispatcher with a cache; without it, moto lists its source directories for every request."""

    def get_backend_for_host(self, host: str | None) -> object:
        """Find the backend once for each host."""
        known = self.__dict__.setdefault("_backends", {})
        if host not in known:
            known[host] = super().get_backend_for_host(host)
        return known[host]


def _conditions(scenario: Scenario, authorization: Authorization) -> Conditions:
    return Conditions(
        quotas=Quotas(QuotaSettings.model_validate(scenario.quotas.model_dump())),
        faults=Faults(_fault_settings(scenario)),
        latency=Latency(LatencySettings.model_validate(scenario.latency.model_dump())),
        authorization=authorization,
    )


def _fault_settings(scenario: Scenario) -> Iterable[FaultSettings]:
    return [FaultSettings.model_validate(fault.model_dump()) for fault in scenario.faults]


def _reset_moto() -> None:
    BackendDict.reset()
    reset_model_data()
