import os
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.fleet.authority import AuthorityUnknown, announce_authority_key
from apps.forced_actions.signer import KeyUnusable, load_key
from kernelzone.envelope import key_id, raw_public_key
from kzfleet.secret_files import write_secret


class Command(BaseCommand):
    """Lets a new authority key follow the present one. Ended at any place, the same command goes on."""

    help = "Make a new authority key, named by the present one; run where the signer's key file is."

    def handle(self, *_: Any, **__: Any) -> None:
        """Raises: CommandError when a key file cannot be used."""
        path = Path(settings.AUTHORITY_KEY_FILE)
        try:
            key = _follow(path)
        except KeyUnusable as refusal:
            raise CommandError(str(refusal)) from refusal
        except AuthorityUnknown:
            raise CommandError(f"The key in {path} does not sign orders now: put the one back that does.") from None
        except OSError as failed:
            raise CommandError(f"{path} cannot be replaced ({failed.strerror}).") from failed
        self.stdout.write(
            f"key {key_id(raw_public_key(key))} signs orders from now on; the one before is in {_beside(path, 'old')}\n"
            "the running signer ends by itself: start `manage.py sign` again, where nothing does so\n"
            "agents learn the new key with their next report; the old one counts until there is a third"
        )


def _follow(path: Path) -> Ed25519PrivateKey:
    """Return the new key, announced and in place. The order matters: what is in place was announced before."""
    old, fresh = load_key(path), _beside(path, "new")
    if not fresh.exists():
        write_secret(fresh, Ed25519PrivateKey.generate().private_bytes_raw().hex().encode("ascii") + b"\n")
    new = load_key(fresh)
    announce_authority_key(old, new)
    _beside(path, "old").unlink(missing_ok=True)
    os.link(path, _beside(path, "old"))
    os.replace(fresh, path)
    return new


def _beside(path: Path, word: str) -> Path:
    return path.with_name(f"{path.name}.{word}")
