"""Secrets: files made once and private, and nothing of them in what processes print."""

import json
import logging
import stat
from pathlib import Path

import pytest
import structlog

from kzfleet.diagnostics import HIDDEN, configure_diagnostics, hide_secrets
from kzfleet.secret_files import is_private, secret_or_random, write_secret


def test_a_secret_file_is_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "authority.key"

    write_secret(path, b"first")
    with pytest.raises(FileExistsError):
        write_secret(path, b"second")

    assert path.read_bytes() == b"first"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["authority.key"]


def test_without_a_file_each_process_has_a_secret_of_its_own(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent")

    assert secret_or_random(absent) != secret_or_random(absent)
    assert len(secret_or_random("")) >= 50


def test_a_key_that_others_may_read_is_not_private(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_secret(path, b"x")
    assert is_private(path)

    path.chmod(0o640)

    assert not is_private(path)


def test_what_a_secret_names_is_hidden_at_every_depth() -> None:
    entry = {
        "event": "sign-in",
        "password": "p",
        "request": {"Authorization": "Bearer kzf_x", "path": "/"},
        "list": [{"api_token": "t"}, "plain"],
        "key_hex": "00",
    }

    shown = hide_secrets(None, "info", entry)

    assert shown == {
        "event": "sign-in",
        "password": HIDDEN,
        "request": {"Authorization": HIDDEN, "path": "/"},
        "list": [{"api_token": HIDDEN}, "plain"],
        "key_hex": HIDDEN,
    }


def test_both_ways_of_printing_give_one_json_object_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    root, kept = logging.getLogger(), (logging.getLogger().handlers, logging.getLogger().level)
    try:
        configure_diagnostics(process="test", level="INFO", as_json=True)
        structlog.get_logger("a").warning("nudge.lost", token="kzf_secret")
        logging.getLogger("b").warning("from a library", extra={"cookie": "kzf_secret"})
    finally:
        root.handlers, root.level = kept

    printed = capsys.readouterr().err
    assert "kzf_secret" not in printed
    events = [json.loads(line) for line in printed.splitlines()]
    assert [(event["event"], event["level"]) for event in events] == [
        ("nudge.lost", "warning"),
        ("from a library", "warning"),
    ]
