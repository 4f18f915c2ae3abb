"""Delivery of notices in trouble: another way when one fails, later when none works, and never lost."""

import pytest

from contactsync.bus.events import NoticeRequested
from contactsync.errors import (
    AccessDeniedError,
    AwsCallError,
    ConfigurationInvalidError,
    NoticeUndeliveredError,
    ResourceMissingError,
    ServiceUnavailableError,
    ThrottledError,
)
from contactsync.notices.delivery import TRIES
from contactsync.notices.scenarios import Scenario, notice_id_of
from tests.unit.notices.test_delivery import DOWN, SYNC_ID, Post, requested

FALLBACK = "arn:aws:sns:eu-west-1:111122223333:fallback"
TABLES_DOWN = [
    AccessDeniedError("GetItem", "AccessDeniedException"),
    ResourceMissingError("GetItem", "ResourceNotFoundException"),
    ServiceUnavailableError("GetItem", "InternalServerError"),
    ThrottledError("GetItem", "ThrottlingException"),
]


def test_one_channel_fails() -> None:
    """A channel that fails is made up for by the fallback topic, and how each ended is recorded."""
    post = Post.of("EMAIL", "SMS", fallback_sns_topic=FALLBACK)
    post.topic.channel_errors["SMS"] = DOWN
    post.deliver()
    assert post.topic.channels == ["EMAIL"]
    assert [topic for topic, _ in post.topic.sent] == [None, FALLBACK]
    assert post.log.ends == {"EMAIL": "sent", "SMS": "failed", "FALLBACK": "sent", "USER_NOTIFICATIONS": "sent"}
    assert post.outbox.kept == []
    assert post.metrics.total("NoticeChannelsFailed") == 1


@pytest.mark.parametrize("channels", [("SLACK", "EMAIL"), ("SLACK",), ("SMS", "TEAMS")])
def test_fallback_only(channels: tuple[str, ...]) -> None:
    """When the topic is gone the fallback topic gets the mail's text, and that is a delivery."""
    post = Post.of(*channels, fallback_sns_topic=FALLBACK)
    post.topic.errors[None] = DOWN
    post.deliver()
    ((topic, message),) = post.topic.sent
    assert topic == FALLBACK
    assert message.attributes["channel"] == "EMAIL"
    assert message.by_protocol["email"].startswith("System errors")
    assert len(message.by_protocol["sms"]) <= 140  # whatever subscribes to the fallback topic can read it
    assert post.outbox.kept == []


def test_nothing_works(caplog: pytest.LogCaptureFixture) -> None:
    """When no channel takes it the notice goes to the outbox as another event with the same notice id."""
    post = Post.of(fallback_sns_topic=FALLBACK)
    post.topic.errors = {None: DOWN, FALLBACK: DOWN}
    post.deliver()
    (again,) = post.outbox.kept
    assert isinstance(again.data, NoticeRequested)
    assert (again.data.attempt, again.data.notice_id) == (2, notice_id_of(Scenario.SYSTEM_ERRORS, SYNC_ID))
    assert again.data.channels == ()  # all that are configured by then
    assert again.correlation_id == "c"
    assert post.metrics.total("NoticesNotDelivered") == 1
    assert "was not accepted by EMAIL" in caplog.text
    post.topic.errors = {}
    post.deliver(requested(attempt=2))
    assert len(post.topic.sent) == 1


def test_one_channel_comes_again() -> None:
    """Without a fallback the notice comes again for the channel that failed, and for that one only."""
    post = Post.of("EMAIL", "SMS")
    post.topic.channel_errors["EMAIL"] = DOWN
    post.deliver()
    (again,) = post.outbox.kept
    assert isinstance(again.data, NoticeRequested)
    assert (again.data.attempt, again.data.channels) == (2, ("EMAIL",))
    assert post.metrics.total("NoticeChannelsFailed") == 1
    assert post.metrics.total("NoticesNotDelivered") == 0
    post.deliver(requested(attempt=2, channels=("EMAIL",)))
    assert post.outbox.kept[1].data.channels == ("EMAIL",)  # type: ignore[union-attr] # a request as above
    assert post.metrics.total("NoticesNotDelivered") == 0  # others have it
    post.topic.channel_errors.clear()
    post.deliver(requested(attempt=3, channels=("EMAIL",)))
    assert post.topic.channels == ["SMS", "EMAIL"]
    assert len(post.outbox.kept) == 2
    assert len(post.mirror.put_notices) == 1  # AWS User Notifications got it the first time


def test_channel_that_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    """A channel that is configured no more when its notice comes again is left out, and the log says so."""
    post = Post.of("SMS")
    post.deliver(requested(attempt=2, channels=("EMAIL",)))
    assert post.topic.sent == []
    assert "no longer configured: EMAIL" in caplog.text


def test_mended_settings() -> None:
    """A notice that comes again goes where the configuration in force says: its pinned version may be the trouble."""
    post = Post.of()
    post.topic.errors[None] = DOWN
    latest = post.world.configurations.latest().configuration
    fixed = latest.notification_settings.model_copy(update={"fallback_sns_topic": FALLBACK})
    post.world.configurations.store(latest.model_copy(update={"notification_settings": fixed}))
    post.deliver()
    assert post.topic.sent == []
    post.deliver(requested(attempt=2, channels=("EMAIL",)))
    assert [topic for topic, _ in post.topic.sent] == [FALLBACK]


def test_nothing_works_for_a_day() -> None:
    """After a day the notice becomes a dead letter."""
    post = Post.of()
    post.topic.errors[None] = DOWN
    with pytest.raises(NoticeUndeliveredError, match="was not accepted by EMAIL, in 288 tries"):
        post.deliver(requested(attempt=TRIES))
    assert post.outbox.kept == []


def test_mirror_fails() -> None:
    """User Notifications is a copy: its failure is recorded, and people have the notice."""
    post = Post.of()
    post.mirror.error = DOWN
    post.deliver()
    assert post.log.ends == {"EMAIL": "sent", "USER_NOTIFICATIONS": "failed"}
    assert post.outbox.kept == []


def test_mirror_falls_back() -> None:
    """Whoever is told by User Notifications alone is told by the fallback topic when that fails."""
    post = Post.of(fallback_sns_topic=FALLBACK)
    post.mirror.error = DOWN
    post.deliver()
    assert post.log.ends == {"EMAIL": "sent", "USER_NOTIFICATIONS": "failed", "FALLBACK": "sent"}


def test_mirror_alone_is_no_delivery() -> None:
    """A notice that only User Notifications took comes again: SNS is the channel that counts."""
    post = Post.of()
    post.topic.errors[None] = DOWN
    post.deliver()
    assert post.log.ends == {"EMAIL": "failed", "USER_NOTIFICATIONS": "sent"}
    assert len(post.outbox.kept) == 1


def test_log_fails() -> None:
    """What cannot be recorded is delivered all the same."""
    post = Post.of()
    post.log.error = DOWN
    post.deliver()
    assert post.topic.channels == ["EMAIL"]


def test_full_list_cannot_be_stored() -> None:
    """Without the list the notice goes out, with the command that writes it."""
    post = Post.of(failing=60, accounts=61)
    post.exports.error = DOWN
    post.deliver()
    assert "contactsync export" in post.topic.sent[0][1].by_protocol["email"]


def test_configuration_broken() -> None:
    """A notice about a broken configuration goes out on every channel: nobody knows which are listened to."""
    post = Post.of("SMS")
    post.world.configurations.version_error = ConfigurationInvalidError(problems=["x"], version=1)
    post.deliver()
    assert post.topic.channels == ["EMAIL", "SMS", "CHAT"]


@pytest.mark.parametrize("error", TABLES_DOWN)
def test_configuration_out_of_reach(error: AwsCallError) -> None:
    """A table of configurations that is missing or fails keeps no notice back: the defaults count, on every channel."""
    post = Post.of("SMS")
    post.world.configurations.version_error = error
    post.deliver()
    assert post.topic.channels == ["EMAIL", "SMS", "CHAT"]


@pytest.mark.parametrize("error", TABLES_DOWN)
def test_operation_out_of_reach(error: AwsCallError) -> None:
    """A task's error is told without its operation, which may be what failed; an end waits until it can be read."""
    post = Post.of()
    post.world.state.unreadable = error
    post.deliver(requested(of_task=True, code="InternalServerError", message="Query failed."))
    assert "Query failed." in post.topic.sent[0][1].by_protocol["email"]
    with pytest.raises(type(error)):
        post.deliver()
