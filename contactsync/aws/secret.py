"""AWS Secrets Manager: the key of contact fingerprints."""

from typing import TYPE_CHECKING, Final

from contactsync.aws.sdk.error_codes import translated
from contactsync.errors import SettingsError
from contactsync.fingerprint_keys import key_problem

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

VARIABLE: Final = "CONTACTSYNC_FINGERPRINT_SECRET"


def secret_string(client: "SecretsManagerClient", secret_id: str) -> str:
    """Return a secret's string; raise SettingsError when it has none, or one that is too weak for a key."""
    with translated("GetSecretValue"):
        value = client.get_secret_value(SecretId=secret_id).get("SecretString")
    if not value:
        raise SettingsError(variable=VARIABLE, problem="names a secret without a string")
    if problem := key_problem(value):
        raise SettingsError(variable=VARIABLE, problem=f"names a secret whose string {problem}")
    return value
