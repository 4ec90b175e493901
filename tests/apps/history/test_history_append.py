"""Appending: what an event's bytes are, and that they commit with the change or not at all."""

from __future__ import annotations

import hashlib
import json
from threading import Barrier, Thread
from uuid import UUID

import pytest
from django.db import DatabaseError, close_old_connections, connection, transaction
from django.db.transaction import TransactionManagementError
from django.test import TransactionTestCase

from apps.history import selectors, triggers
from apps.history.actors import SYSTEM, Actor, person
from apps.history.canonical import NotCanonicalError, canonical_json
from apps.history.models import Event, EventDocument, EventSubject, Head
from apps.history.services import append, events_last
from kernelzone.chain import leaf_hash, tree_root


def add(word: str = "seen", **data: object) -> Event:
    with transaction.atomic():
        return append(f"host.{word}", actor=SYSTEM, subjects=[("host", "848611d4")], data=data)


@pytest.mark.django_db
def test_an_event_is_canonical_json_with_exactly_the_promised_keys(olga, time_machine):
    time_machine.move_to("2026-11-23T06:12:08.123Z", tick=False)
    before = Head.objects.get().size
    with transaction.atomic():
        event = append(
            "forced-action.approve",
            actor=person(olga),
            subjects=[("forced-action", "7"), ("zone", "z")],
            data={"name": "Zoë", "count": 3, "sure": True, "nothing": None},
            documents=[b"sheet"],
        )
    digest = hashlib.sha256(b"sheet").hexdigest()
    expected = {
        "v": 1,
        "n": before + 1,
        "t": 1795414328123,
        "type": "forced-action.approve",
        "actor": {"kind": "person", "id": str(olga.person_id), "name": "olga"},
        "subject": {"kind": "forced-action", "id": "7"},
        "also": [{"kind": "zone", "id": "z"}],
        "data": {"name": "Zoë", "count": 3, "sure": True},
        "docs": [digest],
    }
    stored = Event.objects.get(seq=event.seq)
    assert bytes(stored.body) == json.dumps(expected, sort_keys=True, separators=(",", ":")).encode()
    assert b"Zo\\u00eb" in bytes(stored.body)
    assert bytes(stored.leaf_sha256) == hashlib.sha256(b"\0" + bytes(stored.body)).digest()
    assert stored.record["t"] == stored.recorded_at.timestamp() * 1000
    assert selectors.document(digest) == b"sheet"


@pytest.mark.django_db
def test_the_head_is_the_root_over_every_leaf():
    for number in range(9):
        add(number=number)
    leaves = [bytes(event.leaf_sha256) for event in Event.objects.order_by("seq")]
    assert selectors.head() == (9, tree_root(leaves))
    assert leaves == [leaf_hash(bytes(event.body)) for event in Event.objects.order_by("seq")]


@pytest.mark.django_db
def test_an_event_is_found_by_each_of_its_subjects_and_by_nothing_else():
    with transaction.atomic():
        event = append("job.done", actor=SYSTEM, subjects=[("job", "1"), ("zone", "9"), ("zone", "9")], data={})
    add()
    assert [e.seq for e in selectors.events_about("zone", 9)] == [event.seq]
    assert [e.seq for e in selectors.events_about("job", "1")] == [event.seq]
    assert not selectors.events_about("job", "9").exists()
    assert [e.seq for e in selectors.events_after(event.seq)] == [event.seq + 1]


@pytest.mark.django_db(transaction=True)
def test_appending_outside_a_transaction_is_refused():
    with pytest.raises(TransactionManagementError):
        append("host.seen", actor=SYSTEM, subjects=[("host", "1")], data={})
    assert not Event.objects.exists()


@pytest.mark.django_db
def test_a_rolled_back_change_leaves_no_event_and_no_gap():
    add()
    with transaction.atomic():
        append("host.seen", actor=SYSTEM, subjects=[("host", "1")], data={}, documents=[b"gone"])
        transaction.set_rollback(True)
    event = add()
    assert (event.seq, Head.objects.get().size) == (2, 2)
    assert not EventDocument.objects.exists()


@pytest.mark.django_db
def test_a_document_is_stored_once_however_often_it_is_named():
    for _ in range(3):
        with transaction.atomic():
            append("host.seen", actor=SYSTEM, subjects=[("host", "1")], data={}, documents=[b"same", b"same"])
    assert EventDocument.objects.count() == 1
    assert Event.objects.latest("seq").record["docs"] == [hashlib.sha256(b"same").hexdigest()]


@pytest.mark.parametrize(
    "value",
    [1.5, float("nan"), 2**53, -(2**53), [None], "x" * 4097, "é" * 2049, "\ud800", b"bytes", {1: "a"}, object()],
)
def test_what_an_event_cannot_carry_is_refused(value):
    with pytest.raises(NotCanonicalError):
        canonical_json({"value": value})


def test_canonical_json_refuses_endless_nesting():
    deep: dict[str, object] = {}
    for _ in range(20):
        deep = {"in": deep}
    with pytest.raises(NotCanonicalError):
        canonical_json(deep)


def test_canonical_json_takes_the_limits_themselves():
    uuid = UUID("0190163d-8694-739b-aea5-966c26f8ad91")
    text = canonical_json({"b": 2**53 - 1, "a": "x" * 4096, "u": uuid, "": []})
    assert json.loads(text) == {"b": 2**53 - 1, "a": "x" * 4096, "u": str(uuid), "": []}
    assert text.startswith(b'{"":[],"a":')


@pytest.mark.django_db
def test_an_actor_is_one_of_four_kinds():
    with pytest.raises(DatabaseError), transaction.atomic():
        append("host.seen", actor=Actor("ghost", "1", "boo"), subjects=[("host", "1")], data={})


def statements_that_change() -> list[str]:
    return [
        "UPDATE history_event SET body = body",
        "DELETE FROM history_event",
        "UPDATE history_eventsubject SET kind = 'zone'",
        "DELETE FROM history_eventsubject",
        "UPDATE history_eventdocument SET content = content",
        "DELETE FROM history_eventdocument",
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("statement", statements_that_change())
def test_the_database_refuses_to_change_the_history(statement):
    with transaction.atomic():
        append("host.seen", actor=SYSTEM, subjects=[("host", "1")], data={}, documents=[b"x"])
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert Event.objects.count() == EventSubject.objects.count() == EventDocument.objects.count() == 1


@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.parametrize("table", triggers.TABLES)
def test_postgresql_refuses_to_truncate_the_history(table):
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {table} CASCADE")


@pytest.mark.postgres
@pytest.mark.django_db
def test_postgresql_triggers_hold_in_replica_mode_too():
    add()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
            cursor.execute("DELETE FROM history_event")


@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("seq", "leaf", "complaint"),
    [(3, leaf_hash(b"{}"), "not the next"), (1, leaf_hash(b"{}"), "not the next"), (2, b"\0" * 32, "not the hash")],
    ids=["gap", "again", "other leaf"],
)
def test_postgresql_refuses_an_event_out_of_order_or_with_another_leaf(seq, leaf, complaint):
    first = add()
    with pytest.raises(DatabaseError, match=complaint), transaction.atomic():
        Event.objects.create(
            seq=seq,
            recorded_at=first.recorded_at,
            type="x.y",
            actor_kind="system",
            actor_id="x",
            actor_name="x",
            body=b"{}",
            leaf_sha256=leaf,
        )


@pytest.mark.django_db(transaction=True)
def test_a_transactional_test_may_flush_the_history():
    add()


@pytest.mark.django_db(transaction=True)
def test_after_a_flush_the_triggers_are_back():
    add()
    TransactionTestCase("run")._fixture_teardown()
    assert not Event.objects.exists()
    assert triggers.existing_names(connection) == triggers.names(connection.vendor)
    assert triggers.names(connection.vendor)
    add()
    with pytest.raises(DatabaseError, match="never changed"):
        Event.objects.update(type="x")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_eight_writers_at_once_leave_no_gap():
    start = Barrier(8)

    def write(writer: int) -> None:
        start.wait()
        for number in range(10):
            add(writer=writer, number=number)
        close_old_connections()
        connection.close()

    threads = [Thread(target=write, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = list(Event.objects.order_by("seq"))
    assert [event.seq for event in events] == list(range(1, 81))
    assert len({(event.record["data"]["writer"], event.record["data"]["number"]) for event in events}) == 80
    assert selectors.head() == (80, tree_root([bytes(event.leaf_sha256) for event in events]))


@pytest.mark.django_db
def test_events_said_inside_events_last_are_appended_at_its_end_in_their_order():
    before = Event.objects.count()
    with transaction.atomic():
        with events_last():
            first = append("host.first", actor=SYSTEM, subjects=[("host", "1"), ("zone", "9")], data={})
            with events_last():
                second = append("host.second", actor=SYSTEM, subjects=[("host", "2")], data={}, documents=[b"sheet"])
            assert Event.objects.count() == before
        third = append("host.third", actor=SYSTEM, subjects=[("host", "3")], data={})
    assert [event.seq for event in (first, second, third)] == [before + 1, before + 2, before + 3]
    assert list(Event.objects.order_by("seq").values_list("type", flat=True)[before:]) == [
        "host.first",
        "host.second",
        "host.third",
    ]
    assert selectors.head() == (before + 3, tree_root([bytes(e.leaf_sha256) for e in Event.objects.order_by("seq")]))
    assert second.record["docs"] == [hashlib.sha256(b"sheet").hexdigest()]
    assert [event.seq for event in selectors.events_about("zone", "9")] == [first.seq]


@transaction.atomic
def _say_and_fail():
    with events_last():
        append("host.lost", actor=SYSTEM, subjects=[("host", "2")], data={})
        raise KeyError


@pytest.mark.django_db
def test_events_said_before_a_rolled_back_savepoint_ended_are_never_appended():
    before = Event.objects.count()
    with transaction.atomic(), events_last():
        kept = append("host.kept", actor=SYSTEM, subjects=[("host", "1")], data={})
        with pytest.raises(KeyError):
            _say_and_fail()
    assert (kept.seq, Event.objects.count()) == (before + 1, before + 1)
    assert not Event.objects.filter(type="host.lost").exists()


@pytest.mark.django_db
def test_many_events_at_once_make_the_same_tree(django_assert_max_num_queries):
    with transaction.atomic(), django_assert_max_num_queries(2 * 300 + 12), events_last():
        for number in range(300):
            append("host.seen", actor=SYSTEM, subjects=[("host", str(number)), ("zone", "9")], data={"n": number})
    leaves = [bytes(event.leaf_sha256) for event in Event.objects.order_by("seq")]
    assert selectors.head() == (len(leaves), tree_root(leaves))
    assert len(selectors.events_about("zone", "9")) == 300


@pytest.mark.django_db(transaction=True)
def test_events_last_is_refused_outside_a_transaction():
    with pytest.raises(TransactionManagementError), events_last():
        raise AssertionError("nothing runs in it")
