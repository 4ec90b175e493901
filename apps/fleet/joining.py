"""Join tokens: made by an administrator for certain hosts, used once by a new agent, guessed by nobody."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.selectors import require
from apps.base.errors import InvalidInput, NotFound
from apps.base.text import clean_text
from apps.fleet.errors import AgentExists, JoinGuessing
from apps.fleet.models import Host, JoinGuesses, JoinToken
from apps.fleet.services import HostName
from apps.fleet.workflow import LIVE
from apps.history.actors import part, person
from apps.history.services import append
from kernelzone.enrolment import MAX_HOSTS, TOKEN_PREFIX, token_sha256
from kernelzone.words import WordError, host_id

LIFE: Final = timedelta(minutes=15)
TOKEN_BYTES: Final = 32
MAX_GUESSES: Final = 10
GUESSES_COUNT_FOR: Final = timedelta(minutes=15)
WEB: Final = part("web")
_LONGEST: Final = {"hostname": 255, "site": 64, "rack": 64}


@transaction.atomic(durable=True)
def make_join_token(hosts: Sequence[HostName], *, actor: User) -> tuple[JoinToken, str]:
    """Return a new join token for one agent of these hosts, and its text (`kzj_` and 43 characters), which is not kept.

    Raises: NotAllowed, AgentExists, InvalidInput hosts, hostid, hostname_*, site_*, rack_*.
    """
    require(actor, "fleet.manage")
    named = _clean_hosts(hosts)
    taken = Host.objects.filter(owner_hostid__in=[one["owner_hostid"] for one in named], agent__state__in=LIVE)
    if found := taken.select_related("agent").first():
        raise AgentExists(owner_hostid=found.owner_hostid, agent=str(found.agent_id))
    text = TOKEN_PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(TOKEN_BYTES)).rstrip(b"=").decode()
    now = timezone.now()
    token = JoinToken.objects.create(
        sha256=token_sha256(text), hosts=named, created_by=actor, created_at=now, expires_at=now + LIFE
    )
    _append("join-token.make", token, actor)
    return token, text


@transaction.atomic(durable=True)
def withdraw_join_token(token_id: int, *, actor: User) -> JoinToken:
    """Return the join token, which opens nothing any more; withdrawn twice, it changes nothing.

    Raises: NotAllowed, NotFound.
    """
    require(actor, "fleet.manage")
    token = JoinToken.objects.select_for_update(no_key=True).filter(pk=token_id, used_at=None).first()
    if token is None:
        raise NotFound()
    if token.withdrawn_at is None:
        token.withdrawn_at = timezone.now()
        token.save(update_fields=["withdrawn_at"])
        _append("join-token.withdraw", token, actor)
    return token


def refuse_guessing(address: str, now: datetime | None = None) -> None:
    """Do nothing while few wrong join tokens came from `address`. Raises: JoinGuessing."""
    now = now or timezone.now()
    row = JoinGuesses.objects.filter(address=address, since__gt=now - GUESSES_COUNT_FOR).first()
    if row is not None and row.count >= MAX_GUESSES:
        raise JoinGuessing(retry_after_s=int((row.since + GUESSES_COUNT_FOR - now).total_seconds()) + 1)


@transaction.atomic(durable=True)
def count_guess(address: str, now: datetime | None = None) -> int:
    """Return how many wrong join tokens came from `address` of late, with this one; the tenth is an alarm."""
    now = now or timezone.now()
    JoinGuesses.objects.filter(since__lte=now - GUESSES_COUNT_FOR).delete()
    row, _ = JoinGuesses.objects.select_for_update(no_key=True).get_or_create(address=address, defaults={"since": now})
    row.count += 1
    row.save(update_fields=["count"])
    if row.count == MAX_GUESSES:
        append("join-token.guessing", actor=WEB, subjects=[("address", address)], data={"guesses": row.count})
    return row.count


def _clean_hosts(hosts: Sequence[HostName]) -> list[dict[str, str]]:
    named = [_clean_host(host) for host in hosts]
    if not 1 <= len(named) <= MAX_HOSTS or len({one["owner_hostid"] for one in named}) != len(named):
        raise InvalidInput(
            code="HOSTS",
            field="hosts",
            message=f"a join token is for 1 to {MAX_HOSTS} different hosts",
            hint="Name each host once that this agent will speak for.",
        )
    return named


def _clean_host(host: HostName) -> dict[str, str]:
    try:
        found = {"owner_hostid": str(host_id(host.owner_hostid.strip()))}
    except WordError as error:
        hint = "Take it from the command hostid on that host: eight hex digits, without 0x."
        raise InvalidInput(code=error.code, field="hostid", message=error.message, hint=hint) from None
    for name, most in _LONGEST.items():
        found[name] = clean_text(getattr(host, name), noun=name, field=name, empty_allowed=True)[:most]
    return found


def _append(event: str, token: JoinToken, actor: User) -> None:
    subjects = [("join-token", str(token.pk)), *(("host", one["owner_hostid"]) for one in token.hosts)]
    append(event, actor=person(actor), subjects=subjects, data={"hosts": len(token.hosts)})
