"""Secrets Manager: the key of contact fingerprints."""

from typing import TYPE_CHECKING

from contactsync.aws.error_codes import translated
from contactsync.errors import SettingsError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


def secret_string(client: "SecretsManagerClient", secret_id: str) -> str:
    """Return a secret's string; raise SettingsError when it has none."""
    with translated("GetSecretValue"):
        value = client.get_secret_value(SecretId=secret_id).get("SecretString")
    if not value:
        raise SettingsError(variable="CONTACTSYNC_FINGERPRINT_SECRET", problem="names a secret without a string")
    return value
