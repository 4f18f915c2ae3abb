"""What several unit tests are given."""

import pytest

from tests.support.worlds.workers import Workers


@pytest.fixture
def workers() -> Workers:
    """Give a healthy service."""
    return Workers()
