"""Who sends requests: the IAM user or assumed role that moto knows by the access key, and the keys of new sessions."""

import threading
from dataclasses import dataclass

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

_GENERATED_KEY_LENGTH = 20  # of keys that moto or AWS generates; another key, such as "sandbox", belongs to nobody


_SESSION_SECONDS = 43_200  # AWS's longest session of a role
_PARTITION = "aws"


@dataclass(frozen=True)
class Caller:
    """The account and the identity behind an access key."""

    account: str
    arn: str


class Callers:
    """The callers by access key; found ones are cached, because a key never changes its owner."""

    def __init__(self, management_account: str) -> None:
        """Let every unknown access key act as a user of the management account."""
        self._default = Caller(management_account, f"arn:aws:iam::{management_account}:user/sandbox")
        self._lock = threading.Lock()
        self._known: dict[str, Caller] = {}

    def caller_of(self, access_key: str) -> Caller:
        """Return the owner of the access key."""
        if len(access_key) != _GENERATED_KEY_LENGTH:
            return self._default
        with self._lock:
            known = self._known.get(access_key)
        if known is None:
            known = _look_up(access_key)
            if known is None:
                return self._default
            with self._lock:
                self._known[access_key] = known
        return known


def _look_up(access_key: str) -> Caller | None:
    """Search only the backends that exist; moto's own search would create one for each account and partition."""
    for account, partitions in list(iam_backends.items()):
        for partition, backend in list(partitions.items()):
            if access_key in backend.access_keys:
                return Caller(account, _arn(account, partition, access_key))
    return None


def _arn(account: str, partition: str, access_key: str) -> str:
    for sts in list(sts_backends[account].values()):
        role = sts.get_assumed_role_from_access_key(access_key)
        if role is not None:
            return str(role.arn)
    user = iam_backends[account][partition].get_user_from_access_key_id(access_key)
    return str(user.arn) if user else f"arn:aws:iam::{account}:root"


def session_variables(role_arn: str, session_name: str, region: str) -> dict[str, str]:
    """Return the variables with the keys of a new session of a role, which an AWS service assumes for its work."""
    session = sts_backends[role_arn.split(":")[4]][_PARTITION].assume_role(
        region_name=region,
        role_session_name=session_name,
        role_arn=role_arn,
        policy="",
        duration=_SESSION_SECONDS,
        external_id="",
    )
    return {
        "AWS_ACCESS_KEY_ID": session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
        "AWS_SESSION_TOKEN": session.session_token,
    }
