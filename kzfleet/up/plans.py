"""The children of `make run` besides the broker, each with the one key file it may use."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from kzfleet.places import BASE_DIR, keys_dir
from kzfleet.up.children import Plan

DJANGO = (sys.executable, "-W", "ignore", str(BASE_DIR / "manage.py"))
CELERY = (sys.executable, "-W", "ignore", "-m", "celery", "-q", "-A", "kzfleet.celery")
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")
KEY_VARIABLES = {
    "KZFLEET_SECRET_KEY_FILE": "django.key",
    "KZFLEET_TOTP_KEY_FILE": "totp.key",
    "KZFLEET_AUTHORITY_KEY_FILE": "authority.key",
}


def site_plans(var: Path, *, port: int, extra: Mapping[str, str]) -> list[Plan]:
    """Return how web, control, signer and beat are run. extra: settings where the caller's environment has none."""
    web_keys = ("KZFLEET_SECRET_KEY_FILE", "KZFLEET_TOTP_KEY_FILE")
    uvicorn = (sys.executable, "-m", "uvicorn", "kzfleet.asgi:application", "--host", "127.0.0.1")
    listening = ("--port", str(port), "--no-access-log", "--log-config", str(BASE_DIR / "kzfleet/uvicorn.json"))
    control = ("worker", "-Q", "control", "-P", "threads", "-c", "4", *QUIET, "-n", "control@%h")
    signer_keys = ("KZFLEET_AUTHORITY_KEY_FILE",)
    plans = {
        "web": ((*uvicorn, *listening, "--timeout-graceful-shutdown", "1"), web_keys),
        "control": ((*CELERY, *control), ()),
        "signer": ((*DJANGO, "sign"), signer_keys),
        "beat": ((*CELERY, "beat", "-S", "celery.beat:Scheduler", "--pidfile="), ()),
    }
    base = {**extra, **_given(), "KZFLEET_BASE_URL": f"http://127.0.0.1:{port}"}
    return [Plan(name, argv, {**base, **_own(var, name, keys)}) for name, (argv, keys) in plans.items()]


def agent_plan(directory: Path) -> Plan:
    """Return how the agent of `directory` is run: it gets nothing of the site's, not even its settings."""
    argv = (sys.executable, "-W", "ignore", "-m", "kzagent", "run", str(directory))
    # Quiet: that a silent host of the demonstration is silent is no news, and the pages say it.
    return Plan(directory.name, argv, _plain_env(), essential=False, is_quiet=True)


def guests_plan(fleet: Path) -> Plan:
    """Return how the one is run that makes the demonstration's guests run, and ends them when all else ends."""
    argv = (sys.executable, "-m", "kzfleet.up.guests", str(fleet))
    # Last: agents that still ran would report every zone as gone.
    return Plan("guests", argv, _plain_env(), essential=False, stops_last=True, death_signal=signal.SIGTERM)


def _plain_env() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "XDG_RUNTIME_DIR", "KZFLEET_VAR")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    return {**env, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(BASE_DIR)}


def _given() -> dict[str, str]:
    """Return every setting that was given to us."""
    names = [f"{name}{form}" for name in ("DATABASE_URL", "BROKER_URL", "CACHE_URL") for form in ("", "_FILE")]
    return {name: value for name, value in os.environ.items() if name.startswith("KZFLEET_") or name in names}


def _own(var: Path, process: str, keys: tuple[str, ...]) -> dict[str, str]:
    """Return what is this process's alone: its name, and the key files it may use, no others."""
    files = {name: str(keys_dir(var) / file) if name in keys else "" for name, file in KEY_VARIABLES.items()}
    fixed = {"DJANGO_SETTINGS_MODULE": "kzfleet.settings", "KZFLEET_PROCESS": process}
    return {**_plain_env(), **fixed, **files}
