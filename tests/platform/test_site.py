"""What every answer of the site carries, and what the installation is checked for."""

from pathlib import Path

import pytest
from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connection
from django.test import Client, override_settings
from django.utils.module_loading import import_string

from kzfleet.celery import app
from kzfleet.schedule import WAKE_UPS, beat_schedule


def test_health_is_said_to_anybody_and_nothing_else(client: Client, db: None) -> None:
    answer = client.get("/healthz")

    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert client.post("/healthz").status_code == 405


def test_health_is_503_without_the_database(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise DatabaseError("host=10.0.0.1 password=secret")

    with monkeypatch.context() as broken:
        broken.setattr(connection, "cursor", refuse)
        answer = client.get("/healthz")

    assert (answer.status_code, answer.content) == (503, b"the database does not answer\n")


def test_no_page_may_run_inline_script_or_style_or_be_framed(client: Client, db: None) -> None:
    headers = client.get("/healthz").headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]


def test_each_request_has_an_id_of_ours_whatever_the_sender_says(client: Client, db: None) -> None:
    ids = {client.get("/healthz", headers={"X-Request-Id": "theirs"}).headers["X-Request-Id"] for _ in range(3)}

    assert len(ids) == 3
    assert "theirs" not in ids


def test_cookies_are_out_of_reach_of_scripts_and_other_sites() -> None:
    assert settings.SESSION_COOKIE_HTTPONLY
    assert settings.CSRF_COOKIE_HTTPONLY
    assert {settings.SESSION_COOKIE_SAMESITE, settings.CSRF_COOKIE_SAMESITE} == {"Lax"}


def test_the_broker_can_carry_json_alone_and_brings_no_results_or_remote_control() -> None:
    assert settings.CELERY_ACCEPT_CONTENT == ["json"]
    assert settings.CELERY_RESULT_BACKEND is None
    assert settings.CELERY_WORKER_ENABLE_REMOTE_CONTROL is False
    assert settings.CELERY_WORKER_SEND_TASK_EVENTS is False


def test_each_wake_up_has_a_switch_and_soon_expires() -> None:
    table = beat_schedule(lambda _: True)

    assert set(table) == set(WAKE_UPS)
    assert beat_schedule(lambda _: False) == {}
    assert {entry["options"]["queue"] for entry in table.values()} == {"control"}
    assert all(0 < entry["options"]["expires"] <= 120 for entry in table.values())


def test_an_open_key_file_is_an_error_of_the_installation(tmp_path: Path) -> None:
    key = tmp_path / "totp.key"
    key.write_text("x")
    key.chmod(0o644)

    with override_settings(TOTP_KEY_FILE=str(key)):
        found = [check for check in checks.run_checks() if check.id == "kzfleet.E002"]

    assert len(found) == 1
    assert "chmod 0600" in str(found[0].hint)


def test_without_a_secret_key_file_the_deployment_check_says_so(tmp_path: Path) -> None:
    with override_settings(SECRET_KEY_FILE=str(tmp_path / "absent")):
        found = checks.run_checks(include_deployment_checks=True)

    assert "kzfleet.W001" in {check.id for check in found}


def test_every_wake_up_is_a_task_that_control_knows() -> None:
    app.loader.import_default_modules()

    assert set(WAKE_UPS) - set(app.tasks) == set()


@pytest.mark.parametrize("hook", ["JOB_RESULT", "JOB_MOVED", "EVIDENCE_COMPLETE", "ZONES_TOUCHED"])
def test_every_hook_names_a_function(hook: str) -> None:
    named = getattr(settings, hook)
    paths = named.values() if isinstance(named, dict) else named

    assert paths
    assert all(callable(import_string(path)) for path in paths)
