"""Where the AWS SDK's settings come from on this machine: which variable or file has a wrong one."""

import os
from collections.abc import Iterator
from configparser import Error as IniError
from configparser import RawConfigParser
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES, DEFAULT_S3_CONFIG_VARS
from botocore.exceptions import ConfigParseError, CredentialRetrievalError, ProfileNotFound, SSLError
from botocore.utils import is_valid_endpoint_url

PROFILE: Final = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
REGION: Final = ("AWS_DEFAULT_REGION", "AWS_REGION")
CERTIFICATES: Final = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
PROXIES: Final = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
KEYS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
FILES: Final = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE")
ROLE: Final = (
    "CONTACTSYNC_MANAGEMENT_ROLE_ARN",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
SDK_FILES: Final = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
IN_HEADERS: Final = (*KEYS, *REGION, "AWS_CONTAINER_AUTHORIZATION_TOKEN", FILES[0])
"""Variables whose values go into a request's headers, where no line feed is allowed."""
CONTAINER: Final = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
METADATA: Final = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE")
_HEADER: Final = "header value"


def places_of(error: BaseException, service: str | None) -> tuple[str, ...]:
    """Return the variables and files that an error of the SDK may be about: the likeliest, or all that are set."""
    suspects = tuple(dict.fromkeys(_suspects(error, service)))
    variables = (name for name, value in sorted(os.environ.items()) if name.startswith("AWS_") and value)
    return suspects or (*(name for name in variables if name not in KEYS), *_files())


def role_places() -> tuple[str, ...]:
    """Return where the role is configured that the SDK assumes by itself."""
    return _set(ROLE) or _files()


def region_places() -> tuple[str, ...]:
    """Return where the region is configured."""
    return _set(REGION) or _files()


def _suspects(error: BaseException, service: str | None) -> Iterator[str]:
    text = str(error)
    if isinstance(error, ProfileNotFound):
        missing = [name for name in _set(SDK_FILES) if not _can_be_read(Path(os.environ[name]).expanduser())]
        yield from (*_set(PROFILE), *missing, *_files())
    elif isinstance(error, ConfigParseError):
        parsed = getattr(error, "kwargs", {}).get("path")
        yield from (name for name, path in _file_paths().items() if path == parsed and name in os.environ)
        yield str(parsed)
    elif isinstance(error, SSLError):
        yield from (*_set(CERTIFICATES), *_endpoints(service), *_given(PROXIES))
    elif isinstance(error, CredentialRetrievalError):
        yield from _process()
    elif isinstance(error, OSError):
        named = [name for name in (*FILES, *CERTIFICATES) if os.environ.get(name) == error.filename]
        yield from named or _process() or _files()
    elif _HEADER in text:
        yield from [name for name in _set(IN_HEADERS) if not os.environ[name].isprintable()] or _files()
    elif isinstance(error, EOFError):
        yield from _files()
    elif isinstance(error, UnicodeDecodeError):
        yield from _process() or _set(FILES)
    else:
        yield from _named_in(text)
        yield from _unread_expiration(error)
        yield from _wrong_numbers()
        yield from (name for name in _endpoints(service) if not _is_url(os.environ.get(name, "")))
        yield from (name for name in _given(PROXIES) if not _is_url(os.environ[name]))
        yield from _set(CONTAINER) if "host" in text else ()
        yield from _set(METADATA) if "Metadata" in text else ()
        yield from _set(FILES) if "web identity" in text else ()
        yield from _process()
        yield from _files() if type(error).__name__.endswith(("ConfigError", "DependencyException")) else ()


def _named_in(text: str) -> Iterator[str]:
    """Yield the variables that a message of the SDK is about, by the SDK's names or by the variables' own."""
    words = _letters(text)
    for setting, (_, variables, *_rest) in {**BOTOCORE_DEFAUT_SESSION_VARIABLES, **DEFAULT_S3_CONFIG_VARS}.items():
        names = [variables] if isinstance(variables, str) else variables or []
        bare = [name.removeprefix("AWS_") for name in names]
        if setting not in {"profile", "region"} and any(_letters(word) in words for word in [setting, *bare]):
            yield from _set(names)
    yield from (name for name in os.environ if name.startswith("AWS_") and name in text)


def _unread_expiration(error: BaseException) -> tuple[str, ...]:
    """Return the variable of a time that dateutil cannot read; dateutil's error names no variable."""
    return _set(("AWS_CREDENTIAL_EXPIRATION",)) if type(error).__module__.startswith("dateutil") else ()


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))


def _wrong_numbers() -> Iterator[str]:
    for _, variables, _default, convert in BOTOCORE_DEFAUT_SESSION_VARIABLES.values():
        value = os.environ.get(variables) if isinstance(variables, str) else None
        if value is not None and convert is int and not value.strip().isdecimal():
            yield str(variables)


def _endpoints(service: str | None) -> tuple[str, ...]:
    own = f"AWS_ENDPOINT_URL_{(service or '').replace('-', '_').upper()}"
    return _given((own, "AWS_ENDPOINT_URL"))


def _is_url(text: str) -> bool:
    try:
        return bool(is_valid_endpoint_url(text)) and urlsplit(text).port != 0
    except ValueError:
        return False


def _process() -> tuple[str, ...]:
    """Return where a credential process is configured, if the profile in use has one."""
    profile = next(iter(os.environ[name] for name in _set(PROFILE)), "default")
    sections = {profile, f"profile {profile}"}
    return tuple(f"credential_process of profile {profile!r} in {path}" for path in _files() if _has(path, sections))


def _has(path: str, sections: set[str]) -> bool:
    parser = RawConfigParser(strict=False)
    try:
        parser.read(Path(path).expanduser(), encoding="utf-8")
    except (IniError, OSError, UnicodeDecodeError):
        return False
    return any(parser.has_option(section, "credential_process") for section in sections)


def _files() -> tuple[str, ...]:
    return tuple(path for path in _file_paths().values() if Path(path).expanduser().is_file())


def _can_be_read(path: Path) -> bool:
    return os.access(path, os.R_OK) and not path.is_dir()


def _file_paths() -> dict[str, str]:
    return {
        name: os.environ.get(name, default)
        for name, default in zip(SDK_FILES, ("~/.aws/config", "~/.aws/credentials"), strict=True)
    }


def _set(names: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name in os.environ)


def _given(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the variables that are set and not empty."""
    return tuple(name for name in names if os.environ.get(name))
