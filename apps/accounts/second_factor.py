"""The second factor of an act: a TOTP code, each time step accepted once.

Source: RFC 6238 (30 s, SHA-1, 6 digits; one step of tolerance either way), RFC 4226 7.3 (limit the guesses).
"""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final
from urllib.parse import quote, urlencode

from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from django.db import transaction
from django.utils import timezone

from apps.accounts.errors import SecondFactorExists, SecondFactorLocked, SecondFactorNeeded, SecondFactorWrong
from apps.accounts.models import SecondFactorGuard, User
from apps.accounts.secret_box import seal, unseal
from apps.accounts.selectors import require
from apps.history.actors import SYSTEM, person
from apps.history.services import append

STEP_S: Final = 30
DIGITS: Final = 6
TOLERANCE_STEPS: Final = 1
GUESSES: Final = 5
GUESS_WINDOW: Final = timedelta(minutes=5)
SECRET_BYTES: Final = 20


def has_second_factor(user: User) -> bool:
    """Return whether the account has a TOTP second factor."""
    return _authenticator(user) is not None


@contextmanager
def guessing(user: User) -> Iterator[None]:
    """Count a guess before its code is looked at in the block; it stays counted when the code was wrong.

    Counted first and committed, so that of many codes sent at once no more are looked at than may be guessed. Around
    the transaction of the act, never inside: the count must outlive its rollback. Raises: SecondFactorLocked.
    """
    _count_guess(user)
    try:
        yield
    except SecondFactorWrong:
        raise
    except BaseException:
        _take_guess_back(user)
        raise


@transaction.atomic
def verify_totp(user: User, code: str) -> None:
    """Accept `code` once: its time step, and every earlier one, is refused from now on. Inside `guessing`.

    May be called inside the transaction of the act it is for: then the step is used with the act, or not at all.
    Raises: SecondFactorNeeded (no code, or none enrolled), SecondFactorWrong.
    """
    authenticator = _authenticator(user)
    if authenticator is None:
        raise SecondFactorNeeded(hint="Your account has no second factor; an administrator can enrol one.")
    if not code:
        raise SecondFactorNeeded()
    _guard_for_update(user)
    step = _step_of(unseal(authenticator.data["secret"]), code)
    if step is None or not _use_step(user, step):
        raise SecondFactorWrong()


@transaction.atomic(durable=True)
def enrol_totp(user: User, *, by: User | None = None) -> str:
    """Return the new secret of the account's second factor, base32, to be shown once.

    by: the administrator; None is the one who runs `manage.py`.
    Raises: NotAllowed, SecondFactorExists.
    """
    if by is not None:
        require(by, "accounts.manage")
    if _authenticator(user) is not None:
        raise SecondFactorExists()
    secret = base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": seal(secret)})
    append(
        "second-factor.enrol",
        actor=person(by) if by else SYSTEM,
        subjects=[("account", str(user.pk)), ("person", str(user.person_id))],
        data={"kind": "totp"},
    )
    return secret


def otpauth_uri(user: User, secret: str) -> str:
    """Return the address an authenticator reads, as text or from a QR code.

    Source: Google Authenticator, Key Uri Format.
    """
    query = urlencode({"secret": secret, "issuer": "kzfleet"}, quote_via=quote)
    return f"otpauth://totp/{quote(f'kzfleet:{user.get_username()}')}?{query}"


def next_code(user: User) -> str:
    """Return a code that is accepted now, for the demonstration and the tests.

    It is the code of the first step not used yet; when all that are accepted now were used, the last of them.
    """
    authenticator = _authenticator(user)
    if authenticator is None:
        raise SecondFactorNeeded()
    guard = SecondFactorGuard.objects.filter(user=user).first()
    now = int(time.time()) // STEP_S
    step = min(max(now, guard.last_step + 1 if guard else now), now + TOLERANCE_STEPS)
    return _code(unseal(authenticator.data["secret"]), step)


def _authenticator(user: User) -> Authenticator | None:
    return Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).first()


def _guard_for_update(user: User) -> SecondFactorGuard:
    guard, _ = SecondFactorGuard.objects.select_for_update(no_key=True).get_or_create(user_id=user.pk)
    return guard


@transaction.atomic
def _count_guess(user: User) -> None:
    """Count one guess; after the fifth within five minutes the second factor is locked for the rest of them."""
    guard = _guard_for_update(user)
    now = timezone.now()
    if guard.first_guess_at is None or now - guard.first_guess_at >= GUESS_WINDOW:
        guard.first_guess_at, guard.wrong_guesses = now, 0
    _refuse_while_locked(guard)
    guard.wrong_guesses += 1
    guard.save(update_fields=["first_guess_at", "wrong_guesses"])


@transaction.atomic
def _take_guess_back(user: User) -> None:
    """The code was not looked at, or the act was refused for another reason: that was no guess."""
    guard = _guard_for_update(user)
    if guard.wrong_guesses:
        guard.wrong_guesses -= 1
        guard.save(update_fields=["wrong_guesses"])


def _refuse_while_locked(guard: SecondFactorGuard) -> None:
    if guard.wrong_guesses < GUESSES or guard.first_guess_at is None:
        return
    left = guard.first_guess_at + GUESS_WINDOW - timezone.now()
    if left > timedelta(0):
        raise SecondFactorLocked(retry_after_s=int(left.total_seconds()) + 1)


def _step_of(secret: str, code: str) -> int | None:
    """Return the time step whose code this is; every step in tolerance is compared, in constant time."""
    given = "".join(code.split())
    now = int(time.time()) // STEP_S
    found = None
    for step in range(now - TOLERANCE_STEPS, now + TOLERANCE_STEPS + 1):
        if hmac.compare_digest(given.encode("utf-8", "replace"), _code(secret, step).encode()):
            found = step
    return found


def _use_step(user: User, step: int) -> bool:
    # The condition is the guard itself on SQLite, which has no row locks.
    unused = SecondFactorGuard.objects.filter(user_id=user.pk, last_step__lt=step)
    return bool(unused.update(last_step=step, wrong_guesses=0, first_guess_at=None))


def _code(secret: str, step: int) -> str:
    key = base64.b32decode(secret, casefold=True)
    return HOTP(key, DIGITS, SHA1()).generate(step).decode()  # noqa: S303 - RFC 6238 says SHA-1
