"""The keys that sign orders, as agents learn them: the first at enrolment, each next one from the one before."""

from __future__ import annotations

from typing import Final

from django.db import transaction

from apps.fleet.models import AuthorityKey
from apps.history.actors import part
from apps.history.services import append
from kernelzone.envelope import key_id

SIGNER: Final = part("signer")
# agents that were away for longer than so many changes are enrolled anew
MOST_STATEMENTS: Final = 4


class AuthorityUnknown(Exception):
    """A key that no agent would believe: the one before has not signed it."""


@transaction.atomic(durable=True)
def note_authority_key(public_key: str) -> AuthorityKey:
    """Return the row of the key that signs from now on; the first one is made here.

    public_key: 64 hex digits. Raises: AuthorityUnknown for one that was never announced.
    """
    newest = AuthorityKey.objects.order_by("-id").first()
    if newest is None:
        newest = AuthorityKey.objects.create(public_key=public_key)
        raw = bytes.fromhex(public_key)
        append(
            "authority.new-key", actor=SIGNER, subjects=[("authority", key_id(raw))], data={"public_key": public_key}
        )
    if newest.public_key != public_key:
        raise AuthorityUnknown()
    return newest


def statements() -> list[str]:
    """Return the envelopes by which the last authority keys were announced, the oldest first."""
    found = AuthorityKey.objects.exclude(statement="").order_by("-id").values_list("statement", flat=True)
    return list(found[:MOST_STATEMENTS])[::-1]
