"""A nudge may be lost; a change may not."""

from __future__ import annotations

import time

import pytest
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from apps.base.nudge import _HASTE, _send, nudge


@pytest.mark.django_db(transaction=True)
def test_a_nudge_is_sent_after_the_commit_and_not_before(monkeypatch):
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **_: sent.append(name))
    with transaction.atomic():
        nudge("apps.jobs.dispatch_jobs")
        assert sent == []
    assert sent == ["apps.jobs.dispatch_jobs"]


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_change_nudges_nobody(monkeypatch):
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **_: sent.append(name))
    with transaction.atomic():
        nudge("apps.jobs.dispatch_jobs")
        transaction.set_rollback(True)
    assert sent == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fault", [OperationalError("no broker"), ConnectionRefusedError(), ValueError("a bug")])
def test_a_dead_broker_does_not_undo_a_committed_change(monkeypatch, olga, fault):
    def refuse(name, **_):
        raise fault

    monkeypatch.setattr(current_app, "send_task", refuse)
    with transaction.atomic():
        olga.first_name = "Olga"
        olga.save(update_fields=["first_name"])
        nudge("apps.jobs.dispatch_jobs")
    olga.refresh_from_db()
    assert olga.first_name == "Olga"


def test_a_broker_that_is_not_there_costs_a_request_less_than_a_second(monkeypatch, tmp_path):
    nowhere = current_app.connection_for_write(f"redis+socket://{tmp_path}/none.sock", transport_options=_HASTE)
    monkeypatch.setattr(current_app, "connection_for_write", lambda **_: nowhere)
    start = time.monotonic()
    _send("apps.jobs.dispatch_jobs")
    assert time.monotonic() - start < 1
