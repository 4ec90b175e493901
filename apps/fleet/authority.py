"""The keys that sign orders, as agents learn them: the first at enrolment, each next one from the one before."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import transaction
from django.utils import timezone

from apps.fleet.models import AuthorityKey
from apps.fleet.selectors import deployment_uuid
from apps.history.actors import SYSTEM, part
from apps.history.services import append
from kernelzone.enrolment import NewAuthorityKey, state
from kernelzone.envelope import key_id, raw_public_key

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


@transaction.atomic(durable=True)
def announce_authority_key(old: Ed25519PrivateKey, new: Ed25519PrivateKey) -> AuthorityKey:
    """Return the row of the new key, which the old one has named; said again it changes nothing.

    Raises: AuthorityUnknown when the old key is not the one that signs now.
    """
    before, after = raw_public_key(old).hex(), raw_public_key(new).hex()
    newest = AuthorityKey.objects.order_by("-id").first()
    if newest is not None and newest.public_key == after:
        return newest
    if newest is not None and newest.public_key != before:
        raise AuthorityUnknown()
    if newest is None:
        AuthorityKey.objects.create(public_key=before)
    said = NewAuthorityKey(1, deployment_uuid(), before, after, int(timezone.now().timestamp()))
    row = AuthorityKey.objects.create(public_key=after, statement=state(said, old))
    subjects = [("authority", key_id(raw_public_key(new)))]
    append("authority.new-key", actor=SYSTEM, subjects=subjects, data={"public_key": after, "before": before})
    return row


def is_replaced(public_key: str) -> bool:
    """Return whether another key than this one (64 hex digits) signs orders now."""
    newest = AuthorityKey.objects.order_by("-id").values_list("public_key", flat=True).first()
    return newest is not None and newest != public_key


def statements() -> list[str]:
    """Return the envelopes by which the last authority keys were announced, the oldest first."""
    found = AuthorityKey.objects.exclude(statement="").order_by("-id").values_list("statement", flat=True)
    return list(found[:MOST_STATEMENTS])[::-1]
