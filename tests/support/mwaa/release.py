"""A release as MWAA takes it: plugins.zip is unpacked onto the plugins folder, then requirements.txt is installed.

How MWAA does it is in the entry point of its image (https://github.com/aws/amazon-mwaa-docker-images).
"""

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contactsync.packaging.clone import Clone
from contactsync.packaging.packages import write_mwaa_files
from tests.support.mwaa.image import PINS, ROOT, PythonEnvironment

PLUGINS_ON_MWAA: Final = "/usr/local/airflow/plugins"
PRODUCT: Final = "contactsync"

HAS_CONSTRAINTS: Final = re.compile(r"-c |--constraint ")
"""What the image looks for in every line, comments included, before it adds its own constraints."""

ESSENTIAL: Final = re.compile(
    r"apache-airflow|Flask.*|flask-.*|gunicorn|billiard|celery|gevent|greenlet|kombu|vine|SQLAlchemy.*|statsd|watchtower|fluent-logger",
)
"""Packages whose versions the image constrains in any case."""


class RequirementsError(Exception):
    """MWAA could not install requirements.txt, or what it installed does not fit the image; the message is pip's."""


@dataclass(frozen=True)
class Release:
    """What is uploaded to MWAA, unpacked as it is there."""

    plugins: Path
    dags: Path
    requirements: Path

    @classmethod
    def built(cls, folder: Path) -> "Release":
        """Build the release from the clone as it is, and unpack it."""
        built, scratch = folder / "built", folder / "scratch"
        for place in (built, scratch):
            place.mkdir(parents=True)
        write_mwaa_files(Clone.at(ROOT).as_it_is(), built, scratch)
        release = cls(folder / "plugins", folder / "dags", built / "requirements.txt")
        for place in (release.plugins, release.dags):
            with zipfile.ZipFile(built / f"{place.name}.zip") as archive:
                archive.extractall(place)
        return release


def install(environment: PythonEnvironment, requirements: str, plugins: Path, scratch: Path) -> None:
    """Install a requirements.txt by the image's own rule; raise RequirementsError if MWAA would go on without it.

    MWAA itself only logs a failure: its environment is AVAILABLE then, and every DAG has an import error.
    """
    before, complaints = environment.packages(), environment.complaints()
    file, essential = scratch / "requirements.txt", scratch / "essential.txt"
    file.write_text(requirements.replace(PLUGINS_ON_MWAA, str(plugins)), encoding="utf-8")
    pins = [line for line in PINS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    essential.write_text(
        "\n".join(pin for pin in pins if ESSENTIAL.fullmatch(pin.partition("==")[0])), encoding="utf-8"
    )
    constraints = ["-c", str(essential)]
    if not any(HAS_CONSTRAINTS.search(line) for line in requirements.splitlines()):
        constraints += ["-c", str(PINS)]
    pip = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", str(file), *constraints]
    answer = environment.run(*pip)
    if answer.returncode:
        raise RequirementsError(f"{answer.stdout}\n{answer.stderr}".strip())
    if worse := environment.complaints() - complaints:
        raise RequirementsError("\n".join(sorted(worse)))
    after = environment.packages()
    if changed := {name for name, version in before.items() if after.get(name) != version}:
        raise RequirementsError(f"the image's packages are not what they were: {', '.join(sorted(changed))}")
