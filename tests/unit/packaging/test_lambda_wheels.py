"""The lock files of what is in the functions' zips."""

import re
import tomllib
from pathlib import Path

import pytest

from contactsync.packaging.function_zips import SUBSCRIBERS_ZIP, TRIGGER_ZIP, ZIPS, FunctionZip
from contactsync.packaging.lambda_wheels import pinned

ROOT = Path(__file__).parents[3]
LOCKS = ROOT / "requirements"


def lock(name: str) -> dict[str, str]:
    """Return the versions in a lock file of this repository."""
    return pinned((LOCKS / name).read_bytes())


def test_pinned() -> None:
    """Versions are read by package; hashes, comments and options are none."""
    text = b"# a==1\nsome-package==1.0rc1 \\\n    --hash=sha256:00\n    # via c==2\nb.c_d==2 ; python == '4'\n\xff\n"
    assert pinned(text) == {"some-package": "1.0rc1", "b.c_d": "2"}


def test_functions_agree() -> None:
    """What two zips hold has one version, and the trigger's zip holds a part of the others'."""
    assert lock(TRIGGER_ZIP.lock).items() < lock(SUBSCRIBERS_ZIP.lock).items()


@pytest.mark.parametrize("other", ["dev.txt", "mwaa-3.3.1.txt"])
def test_same_versions_elsewhere(other: str) -> None:
    """Functions run with the versions that are tested, and with those of the MWAA image where that has the package."""
    functions, others = lock(SUBSCRIBERS_ZIP.lock), lock(other)
    common = functions.keys() & others.keys()
    assert {"boto3", "botocore", "pydantic", "tenacity"} <= common
    assert [name for name in sorted(common) if functions[name] != others[name]] == []


@pytest.mark.parametrize("zipped", ZIPS, ids=lambda zipped: zipped.name)
def test_locked_with_hashes(zipped: FunctionZip) -> None:
    """Each package has hashes, and no lock file names an index."""
    text = (LOCKS / zipped.lock).read_text()
    assert len(re.findall(r"^\S+==\S+ \\\n    --hash=sha256:", text, re.MULTILINE)) == len(lock(zipped.lock))
    assert "://" not in text


def test_requirements_name_the_version() -> None:
    """MWAA installs the version that is built; a build refuses another one."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert pinned((ROOT / "requirements.txt").read_bytes())["contactsync"] == version
