"""Packages that are really built: the same bytes everywhere, and functions that need nothing beside their zip.

pip runs in a process of its own, which the guard against the network does not concern: these tests need a package
index, as `make setup` does.
"""

import ast
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contactsync.errors import WheelsMissingError
from contactsync.packaging.clone import Clone
from contactsync.packaging.function_zips import SUBSCRIBERS_ZIP, TRIGGER_ZIP, ZIPS
from contactsync.packaging.imports import imported_names
from contactsync.packaging.lambda_wheels import LambdaWheels, Platform
from contactsync.packaging.packages import Build
from contactsync.packaging.reproducible_zip import read_zip
from tests.integration.test_cli_extras import WITHOUT
from tests.integration.test_cli_shells import MAIN
from tests.support.clones import clone_of_sources
from tests.support.wheels import lock_of, make_wheel

HERE = Platform.here()
FUNCTIONS = {"trigger": TRIGGER_ZIP, "audit": SUBSCRIBERS_ZIP, "notices": SUBSCRIBERS_ZIP, "publisher": SUBSCRIBERS_ZIP}
PROBE = Path(__file__).parents[1] / "support" / "function_probe.py"
AT_HOME = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_LAMBDA_FUNCTION_NAME": "contactsync-test",
    # Lambda sets it; elsewhere the X-Ray SDK asks X-Ray for sampling rules, with a client of its own.
    "LAMBDA_TASK_ROOT": "/var/task",
}


def probed(*arguments: str) -> dict[str, Any]:
    """Run the probe of functions with an interpreter, and return what it found."""
    answer = subprocess.run(
        [sys.executable, *arguments], check=False, capture_output=True, text=True, env=AT_HOME, timeout=120
    )
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def test_services() -> None:
    """The models that a zip has are those of the services for which its functions make clients."""
    for zipped in ZIPS:
        functions = [name for name, its in FUNCTIONS.items() if its is zipped]
        assert probed(str(PROBE), "", *functions)["services"] == sorted(zipped.services)


def test_kept_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wheels that were kept need no index; one with other bytes than locked is not taken."""
    kept, said = tmp_path / "kept", []
    wheel = make_wheel(kept / str(HERE), "some_wheel", {"some_wheel.py": "x = 1\n"})
    lock = lock_of(tmp_path / "lambda-trigger.txt", wheel)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_RETRIES", "0")
    (found,) = LambdaWheels(kept, HERE, tmp_path, said.append).of(lock)
    assert found.read_bytes() == wheel.read_bytes()
    assert said == []
    make_wheel(kept / str(HERE), "some_wheel", {"some_wheel.py": "x = 2\n"})
    with pytest.raises(WheelsMissingError, match=re.escape("of requirements/lambda-trigger.txt could not")):
        LambdaWheels(kept, HERE, tmp_path / "again", said.append).of(lock)
    assert said == ["Downloading the wheels of requirements/lambda-trigger.txt"]


def built_elsewhere(folder: Path, umask: int, **environment: str) -> dict[str, bytes]:
    """Build in a process of its own, in which the clone is what is imported; return the files by their names."""
    answer = subprocess.run(
        [sys.executable, "-c", f"import os; os.umask({umask}); {MAIN}", "package", "-o", "json"],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **environment},
        timeout=280,
    )
    assert answer.returncode == 0, answer.stderr
    packages = folder / "build" / "packages"
    files = {path.relative_to(packages).as_posix(): path for path in packages.rglob("*") if path.is_file()}
    listed = {row["name"]: row["size"] for row in json.loads(answer.stdout)}
    assert listed == {name: path.stat().st_size for name, path in files.items() if name != "manifest.json"}
    assert {path.name for path in packages.parent.iterdir()} == {"packages"}
    return {name: path.read_bytes() for name, path in files.items()}


@pytest.mark.long
@pytest.mark.timeout(600)  # two whole builds, with what they download
def test_same_bytes(tmp_path: Path) -> None:
    """Two clones in two places, with another umask, time, order of files and hash seed, give the same bytes."""
    before = os.umask(0o022)
    try:
        one = clone_of_sources(tmp_path / "one")
        os.umask(0o077)
        other = clone_of_sources(tmp_path / "deeper" / "other", lambda names: sorted(names, reverse=True))
    finally:
        os.umask(before)
    os.utime(other / "contactsync" / "contacts.py", (1_000_000_000, 1_000_000_000))
    first = built_elsewhere(one, 0o022, PYTHONHASHSEED="1", TZ="UTC")
    second = built_elsewhere(other, 0o077, PYTHONHASHSEED="2", TZ="Asia/Tokyo", SOURCE_DATE_EPOCH="1700000000")
    assert [name for name in first | second if first.get(name) != second.get(name)] == []
    assert {"plugins.zip", "dags.zip", "requirements.txt", "manifest.json", "infra/bus.yaml"} <= set(first)
    (wheel,) = (name for name in first if name.endswith(".whl"))
    assert set(_names(one / "build" / "packages" / "plugins.zip")) == {wheel, "contactsync_plugin.py"}
    assert set(_names(one / "build" / "packages" / "dags.zip")) == {"contact_sync.py", "contact_housekeeping.py"}
    manifest = json.loads(first["manifest.json"])
    assert manifest["uncommitted_changes"] == []
    assert {file["name"] for file in manifest["files"]} == set(first) - {"manifest.json"}


def _names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone of this repository as it is."""
    return clone_of_sources(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="module")
def native(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build packages whose functions run on this machine, and return their folder with the zips unpacked."""
    folder = tmp_path_factory.mktemp("native") / "packages"
    Build(Clone.at(sources), lambda _: None, platform=HERE).into(folder)
    for zipped in ZIPS:
        with zipfile.ZipFile(folder / zipped.name) as archive:
            archive.extractall(folder / zipped.name.removesuffix(".zip"))
    return folder


@pytest.mark.long
@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_needs_its_zip_only(native: Path, function: str) -> None:
    """An interpreter that sees only the zip imports the handler, makes all its clients, and loads nothing else."""
    place = native / FUNCTIONS[function].name.removesuffix(".zip")
    found = probed("-S", "-I", str(PROBE), str(place), function)
    assert found["callable"]
    standard = str(Path(os.__file__).parent)
    assert [f for f in found["files"] if not f.startswith((str(place), standard)) and f != str(PROBE)] == []
    assert not any("site-packages" in name for name in found["files"])


@pytest.mark.long
def test_wheel_can_be_installed(native: Path, tmp_path: Path) -> None:
    """Pip installs the wheel, finds its RECORD right, and the plugin imports nothing that it lacks."""
    (wheel,) = native.glob("*.whl")
    target = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target)]
    subprocess.run([*pip, str(wheel)], check=True, timeout=120)
    assert (target / "contactsync" / "orchestration" / "warm_up.py").is_file()
    assert (target / "contactsync" / "aws_config.ini").is_file()


@pytest.mark.long
@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--version"], 0, "contactsync 0.1.0"),
        (["doctor"], 1, "from an installed wheel."),
        (["sandbox", "start"], 1, "not installed. Run `pip install 'moto[server]>="),
        (["demo", "--once"], 1, "run this in a clone of contactsync"),
        (["package"], 1, "installed from a wheel"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_installed_wheel(native: Path, tmp_path: Path, arguments: list[str], code: int, text: str) -> None:
    """An installed wheel without a clone and without extras works, or says what it needs."""
    (wheel,) = native.glob("*.whl")
    target = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    program = WITHOUT.replace("import sys\n", f"import sys\nsys.path.insert(0, {str(target)!r})\n", 1)
    answer = subprocess.run(
        [sys.executable, "-P", "-c", program, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**AT_HOME, "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_CONFIG_FILE": os.devnull},
        timeout=120,
    )
    assert (answer.returncode, text in answer.stdout + answer.stderr) == (code, True), answer.stdout + answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.fixture(scope="module")
def for_lambda(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the packages as they are deployed."""
    folder = tmp_path_factory.mktemp("lambda") / "packages"
    Build(Clone.at(sources), lambda _: None).into(folder)
    return folder


@pytest.mark.long
@pytest.mark.parametrize("zipped", ZIPS, ids=lambda zipped: zipped.name)
def test_zip_for_lambda(for_lambda: Path, zipped: Any) -> None:
    """Compiled modules are for Python 3.12 on arm64, and all that our modules import is in the zip or in Python."""
    entries = read_zip(for_lambda / zipped.name)
    compiled = [name for name in entries if name.endswith(".so")]
    assert all(name.endswith(".cpython-312-aarch64-linux-gnu.so") for name in compiled)
    assert bool(compiled) == (zipped is SUBSCRIBERS_ZIP)
    there = {name.split("/")[0].removesuffix(".py") for name in entries} | sys.stdlib_module_names
    assert {name for name in _imported(entries) if name not in there} == set()
    assert sum(map(len, entries.values())) < 250 * 2**20


def _imported(entries: dict[str, bytes]) -> Iterator[str]:
    for path, source in entries.items():
        if path.startswith("contactsync/"):
            ast.parse(source, path, feature_version=(3, 12))
            yield from (name.split(".")[0] for name in imported_names(source, path))


@pytest.mark.long
def test_changed_files(sources: Path, for_lambda: Path, tmp_path: Path) -> None:
    """A build that may have changes takes the files as they are, names them, and changes only what they are part of."""
    changed = [sources / "dags" / "contact_sync.py", sources / "plugins" / "contactsync_plugin.py"]
    before = [path.read_bytes() for path in changed]
    for path, content in zip(changed, before, strict=True):
        path.write_bytes(content + b"# changed\n")
    try:
        packages = Build(Clone.at(sources), lambda _: None, allow_dirty=True).into(tmp_path / "packages")
    finally:
        for path, content in zip(changed, before, strict=True):
            path.write_bytes(content)
    assert packages.uncommitted_changes == ("dags/contact_sync.py", "plugins/contactsync_plugin.py")
    assert read_zip(tmp_path / "packages" / "plugins.zip")["contactsync_plugin.py"] == before[1] + b"# changed\n"
    clean = {file["name"]: file["sha256"] for file in json.loads((for_lambda / "manifest.json").read_text())["files"]}
    assert {file.name for file in packages.files if clean[file.name] != file.sha256} == {"plugins.zip", "dags.zip"}
