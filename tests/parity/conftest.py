"""The release, and a copy of the image's packages to install it into, for each file of tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mwaa.image import PythonEnvironment, image_copy
from tests.support.mwaa.release import Release


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Build the release from the clone as it is, and unpack it as MWAA does."""
    return Release.built(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def image() -> Iterator[PythonEnvironment]:
    """Give the packages of the image, without the product."""
    with image_copy() as copy:
        yield copy


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Give a folder for what an installation writes."""
    return tmp_path
