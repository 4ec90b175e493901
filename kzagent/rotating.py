"""Taking a new identity key: made here, named to the site by the old one, and only then put in its place.

    identity.new.key written -> the site holds both -> old key linked to identity.old.key -> new key renamed over it

Ended at any place, the same command goes on: the site is told the same new key again, which changes nothing.
"""

from __future__ import annotations

import http.client
import os
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kernelzone.enrolment import NewAgentKey, SealingKey, state
from kernelzone.envelope import key_id, raw_public_key
from kzagent.draft import SEALING_KEY_NAME, load_sealing_key
from kzagent.enrolling import refusal
from kzagent.errors import SetupError
from kzagent.identity import KEY_NAME, Settings, load_key, load_settings, read_private, write_private
from kzagent.identity_key import NEW_KEY_NAME, OLD_KEY_NAME
from kzagent.site import Site

KEYS: Final = "/api/agent/v1/keys"


def rotate(directory: Path) -> str:
    """Return the id of the new key, which the agent of `directory` signs with from now on.

    Raises: SetupError, LinkError.
    """
    settings, old = load_settings(directory), load_key(directory)
    new = _new_key(directory / NEW_KEY_NAME)
    answered = Site(settings.url, settings.ca_file).post(KEYS, _said(directory, settings, old, new))
    if answered.status != http.client.OK:
        raise SetupError(refusal(answered))
    _put_in_place(directory)
    return key_id(raw_public_key(new))


def _said(directory: Path, settings: Settings, old: Ed25519PrivateKey, new: Ed25519PrivateKey) -> dict[str, str]:
    statement = NewAgentKey(
        v=1,
        deployment=settings.deployment,
        agent=settings.agent,
        old_key=raw_public_key(old).hex(),
        new_key=raw_public_key(new).hex(),
    )
    sealing = ""
    if (directory / SEALING_KEY_NAME).exists():
        raw = load_sealing_key(directory).public_key().public_bytes_raw()
        sealing = state(SealingKey(1, settings.agent, raw.hex()), new)
    return {"agent": str(settings.agent), "new_key": state(statement, old, new), "sealing": sealing}


def _new_key(path: Path) -> Ed25519PrivateKey:
    """Return the key of a rotation that was begun before, or a fresh one, kept."""
    if path.exists():
        return Ed25519PrivateKey.from_private_bytes(read_private(path))
    key = Ed25519PrivateKey.generate()
    try:
        write_private(path, key.private_bytes_raw().hex().encode("ascii") + b"\n")
    except OSError as error:
        raise SetupError(f"{path} cannot be written ({error.strerror})") from error
    return key


def _put_in_place(directory: Path) -> None:
    """The new key is the agent's; there is one at every moment, whatever ends this."""
    try:
        (directory / OLD_KEY_NAME).unlink(missing_ok=True)
        os.link(directory / KEY_NAME, directory / OLD_KEY_NAME)
        os.replace(directory / NEW_KEY_NAME, directory / KEY_NAME)
    except OSError as error:
        raise SetupError(f"{directory} cannot be written ({error.strerror}): run the same command again") from error
