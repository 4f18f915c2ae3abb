"""Whether what the stacks made works: functions, tables, rule, topics, queues and alarms."""

from collections.abc import Iterable, Iterator
from typing import Final

from contactsync.checks.findings import Finding, failed, of_each, ok
from contactsync.checks.health_ports import Resources, StackResource, Subscription, TableState
from contactsync.checks.target import Found

FUNCTIONS: Final = "functions"
TABLES: Final = "tables"
RULE: Final = "rule"
TOPICS: Final = "topics"
DEAD_LETTERS: Final = "dead-letters"
ALARMS: Final = "alarms"

NEEDS_DATA: Final = ("-silent",)
"""How the names of alarms end that watch for silence: without data, nothing watches (silent, scheduler-silent)."""

EXPIRES: Final = {"-state": "expires_at", "-audit": "expires_at", "-idempotency": "expiration"}
"""How the names of tables end whose items expire, with the attribute that says when."""

NOT_BACKED_UP: Final = ("-idempotency",)
"""How the names of tables end whose items are worth some hours only."""

BY_PEOPLE: Final = frozenset({"email", "email-json", "sms"})
"""Protocols of subscriptions that people confirm."""


def check_functions(found: Found, resources: Resources) -> Iterator[Finding]:
    """Look whether each function can be called, and whether the queues still give their messages to functions."""
    functions = list(found.of_type("AWS::Lambda::Function"))
    mappings = list(found.of_type("AWS::Lambda::EventSourceMapping"))
    wrong = of_each(FUNCTIONS, functions, lambda one: _function(one, resources))
    wrong += of_each(FUNCTIONS, mappings, lambda one: _mapping(one, resources))
    yield from wrong or [
        ok(FUNCTIONS, f"{len(functions)} functions are active, and {len(mappings)} read their queues.")
    ]


def _function(one: StackResource, resources: Resources) -> Iterator[Finding]:
    state = resources.function(one.stack.region, one.physical_id)
    if state.state != "Active" or state.last_update != "Successful":
        reason = f" ({state.reason})" if state.reason else ""
        yield failed(
            FUNCTIONS,
            f"Function {one.physical_id} is {state.state}, and its last update {state.last_update}{reason}.",
            "See the function in the Lambda console, then deploy again.",
        )


def _mapping(one: StackResource, resources: Resources) -> Iterator[Finding]:
    state = resources.mapping_state(one.stack.region, one.physical_id)
    if state not in {"Enabled", "Enabling", "Creating", "Updating"}:
        yield failed(
            FUNCTIONS,
            f"The queue's mapping {one.logical_id} of {one.stack.full_name} is {state}, so messages wait.",
            f"Enable it: aws lambda update-event-source-mapping --uuid {one.physical_id} --enabled",
        )


def check_tables(found: Found, resources: Resources) -> Iterator[Finding]:
    """Look at each table's encryption, backups and time to live."""
    tables = list(found.of_type("AWS::DynamoDB::Table"))
    wrong = of_each(TABLES, tables, lambda one: _table(one, resources))
    yield from wrong or [ok(TABLES, f"{len(tables)} tables are active, encrypted, backed up and expire as wanted.")]


def _table(one: StackResource, resources: Resources) -> Iterator[Finding]:
    state = resources.table(one.stack.region, one.physical_id)
    wanted = one.stack.parameters.get("PointInTimeRecovery") == "true" and not one.physical_id.endswith(NOT_BACKED_UP)
    for problem in _problems(one, state, backups=wanted):
        yield failed(
            TABLES, f"Table {one.physical_id} {problem}.", "Undo the change, or deploy again with the parameter for it."
        )


def _problems(one: StackResource, state: TableState, *, backups: bool) -> Iterator[str]:
    if state.status not in {"ACTIVE", "UPDATING"}:
        yield f"is {state.status}"
    if not state.is_encrypted:
        yield "is not encrypted with a KMS key"
    if backups and not state.has_backups:
        yield "has no point-in-time recovery"
    expires_by = next((name for end, name in EXPIRES.items() if one.physical_id.endswith(end)), None)
    if expires_by and state.expires_by != expires_by:
        yield f"has no time to live on {expires_by}, so it grows without end"


def check_rule(found: Found, resources: Resources) -> Iterator[Finding]:
    """Look whether the rules that start runs are enabled and have a target."""
    wrong = []
    rules = list(found.of_type("AWS::Events::Rule"))
    for one in rules:
        name, region = one.physical_id.rpartition("|")[2], one.stack.region
        if not resources.is_rule_enabled(region, name):
            remedy = f"Enable it: aws events enable-rule --region {region} --name {name}"
            wrong.append(failed(RULE, f"Rule {name} is disabled, so no change of a contact starts a run.", remedy))
        elif not resources.targets(region, name):
            wrong.append(failed(RULE, f"Rule {name} has no target.", "Deploy the stack trigger again."))
    if not rules:
        wrong.append(failed(RULE, "There is no rule for changes of contacts.", "Deploy the stack trigger."))
    yield from wrong or [ok(RULE, "The rule for changes of contacts is enabled, and has its target.")]


def check_topics(found: Found, resources: Resources) -> Iterator[Finding]:
    """Look whether people have confirmed their subscriptions, and somebody is subscribed to each topic."""
    topics = list(found.of_type("AWS::SNS::Topic"))
    wrong = of_each(TOPICS, topics, lambda one: _topic(one, resources))
    yield from wrong or [ok(TOPICS, f"{len(topics)} topics have subscriptions, and all are confirmed.")]


def _topic(one: StackResource, resources: Resources) -> Iterator[Finding]:
    name = one.physical_id.rpartition(":")[2]
    subscriptions = resources.subscriptions(one.stack.region, one.physical_id)
    for waiting in _unconfirmed(subscriptions):
        yield failed(
            TOPICS,
            f"The subscription of {_shown(waiting)} to topic {name} is not confirmed.",
            "Have the link in AWS's mail opened; it is valid for two days. After that, subscribe again.",
        )
    if not subscriptions:
        yield failed(
            TOPICS,
            f"Nobody is subscribed to topic {name}.",
            f"Subscribe somebody: aws sns subscribe --topic-arn {one.physical_id} --protocol email "
            "--notification-endpoint ADDRESS",
        )


def _unconfirmed(subscriptions: Iterable[Subscription]) -> Iterator[Subscription]:
    return (one for one in subscriptions if not one.is_confirmed)


def _shown(subscription: Subscription) -> str:
    """Return who is subscribed, without the address of a person."""
    if subscription.protocol not in BY_PEOPLE:
        return subscription.endpoint.rpartition(":")[2]
    _, _, domain = subscription.endpoint.partition("@")
    return f"somebody at {domain}" if domain else f"a {subscription.protocol} number"


def check_dead_letters(found: Found, resources: Resources) -> Iterator[Finding]:
    """Look for messages that could not be delivered or handled."""
    queues = [one for one in found.of_type("AWS::SQS::Queue") if one.physical_id.endswith("-dead-letters")]
    wrong = of_each(DEAD_LETTERS, queues, lambda one: _queue(one, resources))
    yield from wrong or [ok(DEAD_LETTERS, f"{len(queues)} dead-letter queues are empty.")]


def _queue(one: StackResource, resources: Resources) -> Iterator[Finding]:
    if number := resources.messages(one.stack.region, one.physical_id):
        name = one.physical_id.rpartition("/")[2]
        yield failed(
            DEAD_LETTERS,
            f"Queue {name} has {number} dead {'letter' if number == 1 else 'letters'}.",
            "See why, then redrive or discard them: contactsync dead-letters list",
        )


def check_alarms(found: Found, resources: Resources) -> Iterator[Finding]:
    """Look for alarms that are raised, and for alarms of silence that have no data."""
    wrong, number = [], 0
    for region in dict.fromkeys(one.stack.region for one in found.of_type("AWS::CloudWatch::Alarm")):
        names = [one.physical_id for one in found.of_type("AWS::CloudWatch::Alarm") if one.stack.region == region]
        for alarm in resources.alarms(region, names):
            number += 1
            if alarm.state == "ALARM":
                reason = f": {alarm.reason.rstrip('.')}" if alarm.reason else ""
                remedy = "Follow its runbook: the alarm's description names it (docs/operations.md)."
                wrong.append(failed(ALARMS, f"Alarm {alarm.name} is raised{reason}.", remedy))
            elif alarm.state == "INSUFFICIENT_DATA" and alarm.name.endswith(NEEDS_DATA):
                remedy = "See whether the DAG contact_housekeeping runs; after a first deployment, wait half an hour."
                wrong.append(failed(ALARMS, f"Alarm {alarm.name} has no data, so nothing watches.", remedy))
    yield from wrong or [ok(ALARMS, f"None of {number} alarms is raised.")]
