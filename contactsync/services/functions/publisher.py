"""The parts of the optional publisher function."""

from contactsync.aws.metrics import EmbeddedMetrics
from contactsync.aws.topic import SnsTopic
from contactsync.bus.publish import Publisher
from contactsync.clock import SystemClock
from contactsync.services.functions.environment import function_clients, function_settings
from contactsync.settings.groups import Group


def outside_publisher() -> Publisher:
    """Return the publisher for events of other systems; raise SettingsError for everything missing or wrong."""
    settings = function_settings()
    settings.demand((Group.DEPLOYMENT, Group.BUS))
    environment = settings.deployment.environment
    return Publisher(
        topic=SnsTopic(function_clients().quick("sns"), settings.bus.topic),
        claims=None,
        metrics=EmbeddedMetrics(environment),
        clock=SystemClock(),
        environment=environment,
    )
