"""The triggers that keep the history from being changed, one list of statements for each database.

They are a list so that a test may drop them around the flush of a transactional test and make them again.
Source: PostgreSQL 15 manual, CREATE TRIGGER and ALTER TABLE ... ENABLE ALWAYS; SQLite, CREATE TRIGGER.
"""

from __future__ import annotations

from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper

TABLES: Final = ("history_event", "history_eventsubject", "history_eventdocument")


def create_statements(vendor: str) -> list[str]:
    """Return the statements that make every trigger on a database of this vendor."""
    return _CREATE[vendor]


def drop_statements(vendor: str) -> list[str]:
    """Return the statements that drop every trigger, whether it is there or not."""
    return _DROP[vendor]


def names(vendor: str) -> set[str]:
    """Return the names of the triggers that must exist."""
    return {_name(statement) for statement in _CREATE[vendor] if statement.startswith("CREATE TRIGGER")}


def existing_names(connection: BaseDatabaseWrapper) -> set[str]:
    """Return the names of our triggers that exist on `connection`; on PostgreSQL only those ENABLED ALWAYS."""
    with connection.cursor() as cursor:
        cursor.execute(_EXISTING[connection.vendor])
        return {row[0] for row in cursor.fetchall()}


def run(connection: BaseDatabaseWrapper, statements: list[str]) -> None:
    """Execute `statements` one after the other."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _name(statement: str) -> str:
    return statement.split()[2]


def _sqlite_refusal(table: str, verb: str) -> str:
    return (
        f"CREATE TRIGGER {table}_refuses_{verb.lower()} BEFORE {verb} ON {table} "
        "BEGIN SELECT RAISE(ABORT, 'the history is never changed'); END"
    )


_POSTGRESQL_REFUSE: Final = """
CREATE OR REPLACE FUNCTION history_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the history is never changed' USING ERRCODE = 'integrity_constraint_violation';
END $$
"""

_POSTGRESQL_CHECK: Final = """
CREATE OR REPLACE FUNCTION history_check_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq IS DISTINCT FROM COALESCE((SELECT size FROM history_head WHERE id = 1), 0) + 1 THEN
        RAISE EXCEPTION 'the event is not the next one' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.leaf_sha256 IS DISTINCT FROM sha256('\\x00'::bytea || NEW.body) THEN
        RAISE EXCEPTION 'the leaf is not the hash of the body'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$
"""


def _postgresql_create() -> list[str]:
    statements = [_POSTGRESQL_REFUSE, _POSTGRESQL_CHECK]
    for table in TABLES:
        statements += [
            f"CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION history_refuse()",
            f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION history_refuse()",
            f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_refuses_change",
            f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_refuses_truncate",
        ]
    return [
        *statements,
        "CREATE TRIGGER history_event_checks_insert BEFORE INSERT ON history_event "
        "FOR EACH ROW EXECUTE FUNCTION history_check_insert()",
        "ALTER TABLE history_event ENABLE ALWAYS TRIGGER history_event_checks_insert",
    ]


def _postgresql_drop() -> list[str]:
    pairs = [(table, f"{table}_refuses_{what}") for table in TABLES for what in ("change", "truncate")]
    pairs.append(("history_event", "history_event_checks_insert"))
    return [f"DROP TRIGGER IF EXISTS {name} ON {table}" for table, name in pairs]


_CREATE: Final = {
    "sqlite": [_sqlite_refusal(table, verb) for table in TABLES for verb in ("UPDATE", "DELETE")],
    "postgresql": _postgresql_create(),
}

_DROP: Final = {
    "sqlite": [f"DROP TRIGGER IF EXISTS {_name(statement)}" for statement in _CREATE["sqlite"]],
    "postgresql": _postgresql_drop(),
}

_EXISTING: Final = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'history_%'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'A' "
    "AND tgname LIKE 'history_%'",
}
