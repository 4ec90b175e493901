"""Both sides of the inspection benchmark: the sweep of a real site, and its bare parts on the same broker and table."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from kombu.entity import Exchange, Queue

from apps.fleet.models import Host
from apps.fleet.selectors import deployment_uuid
from apps.fleet.services import HostName, trust_agent
from apps.jobs.models import Job, ReportEnvelope
from apps.jobs.services.inspecting import insert_inspections
from apps.zones.models import OwnershipInterval, Reading, Sighting, Zone
from benchmarks import _inspection_parts as parts
from benchmarks._cpu import cpu_seconds, spent
from benchmarks._inspection_fleet import owner_hostid
from benchmarks._stack import init_agent, process, say, until
from kernelzone import strict
from kernelzone.portable.host import Host as PortableHost
from kzfleet.up.preparation import authority_public_key

TURNS, GOAL = 5, 2.0
# as the demonstration has: one a site
AGENTS = 2
QUEUES = [f"noop{number}" for number in range(AGENTS)]
TABLE = "zones_reading"


def agents(root: Path, hosts: list[Path], port: int, zones: int) -> ExitStack:
    """Return the running agents, each of its share of the hosts; all states were taken in once."""
    running = ExitStack()
    share = -(-len(hosts) // AGENTS)
    for number in range(AGENTS):
        first = number * share
        directory = _trusted_agent(root / f"agent{number}", hosts[first : first + share], first, port)
        argv = [sys.executable, "-m", "kzagent", "run", str(directory)]
        running.enter_context(process(argv, directory.with_suffix(".txt"), dict(os.environ)))
    until(lambda: Sighting.objects.count() == zones, "the first state of every host")
    return running


def _trusted_agent(directory: Path, hosts: list[Path], first: int, port: int) -> Path:
    """Return the directory of a new agent that the site trusts. first: the number of its first host."""
    given = {
        "deployment": str(deployment_uuid()),
        "url": f"http://127.0.0.1:{port}",
        "broker": settings.BROKER_URL,
        "authority-key": authority_public_key(Path(settings.AUTHORITY_KEY_FILE)),
    }
    made = init_agent(directory, hosts, given)
    named = [HostName(owner_hostid(number), f"h{number}") for number in range(first, first + len(hosts))]
    trust_agent(uuid=made["agent"], key_hex=made["public_key"], name=directory.name, hosts=named)
    return directory


def noop_workers(root: Path) -> ExitStack:
    """Return the running workers of the bare side: as many as agents, with their number of threads, a queue each."""
    running = ExitStack()
    for queue in QUEUES:
        words = (
            f"-q -A benchmarks._noop worker -P threads -c 4 -Q {queue} -n {queue}"
            " --without-gossip --without-mingle --without-heartbeat"
        )
        argv = [sys.executable, "-m", "celery", *words.split()]
        running.enter_context(process(argv, root / f"{queue}.txt", dict(os.environ)))
    bare_tasks(root, AGENTS)
    return running


def compared(root: Path, hosts: int, zones: int) -> bool:
    """Return whether both sweeps are within the goal: beside all that an inspection consists of, done bare."""
    turns: dict[str, list[Taken]] = {"unchanged": [], "new": [], "tasks": [], "rows": [], "parts": []}
    with ExitStack() as running:
        bare = Bare(root, running, hosts, zones)
        _take_turns(turns, bare, root, hosts, zones)
    say(f"{AGENTS} agents, and {AGENTS} workers of no-op tasks, with 4 threads each; load {os.getloadavg()[0]:.1f}")
    tasks, rows, others = middle(turns["tasks"]), middle(turns["rows"]), middle(turns["parts"])
    say(f"{hosts} no-op tasks {tasks.wall_s:.2f} s, {zones} rows {rows.wall_s:.2f} s; CPU {cpu_words(tasks)}")
    say(f"the other parts, by {AGENTS} processes: {others.wall_s:.2f} s ({bare.words()})")
    stated_s = tasks.wall_s + rows.wall_s
    unchanged = shown("nothing new", middle(turns["unchanged"]), stated_s, stated_s + others.wall_s)
    new = shown(f"{zones} new readings", middle(turns["new"]), stated_s, stated_s + others.wall_s)
    return unchanged and new


class Bare:
    """The parts of an inspection besides messages and rows, done bare by as many processes as there are agents."""

    def __init__(self, root: Path, running: ExitStack, hosts: int, zones: int) -> None:
        self._pool, device, port = parts.opened(root, running, AGENTS)
        state = _one_state(root / "fleet" / "h0")
        self._shares = [parts.Share(device, zones // AGENTS, hosts // AGENTS, state, port)] * AGENTS
        self._each: list[dict[str, float]] = []

    def turn(self) -> float:
        """Return how many seconds they took this time."""
        took_s, each = parts.bare_parts(self._pool, self._shares)
        self._each.append(each)
        return took_s

    def words(self) -> str:
        """Return the seconds of each part, summed over the processes."""
        return ", ".join(f"{name} {statistics.median(one[name] for one in self._each):.2f}" for name in self._each[0])


def _one_state(directory: Path) -> dict[str, Any]:
    """Return the state of one host as its agent reports it."""
    host = PortableHost.open(directory)
    zones = host.zones()
    texts = {zone: host.configuration(zone) for zone in zones}
    written: dict[str, Any] = strict.write(
        {
            "host": host.facts(),
            "placements": host.placements(),
            "readings": [reading for zone in zones for reading in host.read(zone)],
            "configurations": [{"zone": zone, "text": text, "sha256": "0" * 64} for zone, text in texts.items()],
        }
    )
    return written


def _take_turns(turns: dict[str, list[Taken]], bare: Bare, root: Path, hosts: int, zones: int) -> None:
    for _ in range(TURNS):
        turns["unchanged"].append(measured(lambda: sweep(hosts, zones)))
        forget_readings()
        turns["new"].append(measured(lambda: sweep(hosts, zones)))
        turns["tasks"].append(measured(lambda: bare_tasks(root, hosts)))
        turns["rows"].append(measured(lambda: bare_insert(zones)))
        turns["parts"].append(measured(bare.turn))


class Taken(NamedTuple):
    """What one turn took: seconds on the wall, and CPU seconds by the role of the process."""

    wall_s: float
    cpu_s: dict[str, float]


def measured(turn: Callable[[], float]) -> Taken:
    """Return what `turn`, which returns its own seconds, took of the machine."""
    before = cpu_seconds()
    wall_s = turn()
    return Taken(wall_s, spent(before, cpu_seconds()))


def middle(turns: list[Taken]) -> Taken:
    """Return the median of the seconds, and of the CPU seconds of each role."""
    roles = {role for turn in turns for role in turn.cpu_s}
    cpu = {role: statistics.median(turn.cpu_s.get(role, 0.0) for turn in turns) for role in sorted(roles)}
    return Taken(statistics.median(turn.wall_s for turn in turns), cpu)


def cpu_words(taken: Taken) -> str:
    """Return the CPU seconds of one turn, the whole first."""
    parts = ", ".join(f"{role} {seconds:.2f}" for role, seconds in taken.cpu_s.items() if seconds >= 0.005)
    return f"{sum(taken.cpu_s.values()):.2f} s ({parts})"


def shown(what: str, ours: Taken, stated_s: float, whole_s: float) -> bool:
    """Print both comparisons; return whether the one with the whole bare side is within the goal."""
    ratio = ours.wall_s / whole_s
    verdict = "met" if ratio <= GOAL else "MISSED"
    say(f"inspection, {what}: {ours.wall_s:.2f} s, its bare parts {whole_s:.2f} s, {ratio:.2f}x of {GOAL:g}x {verdict}")
    say(f"  beside messages and rows alone, which read no host data ({stated_s:.2f} s): {ours.wall_s / stated_s:.2f}x")
    say(f"  CPU {cpu_words(ours)}")
    return ratio <= GOAL


def sweep(hosts: int, zones: int) -> float:
    """Return how many seconds it took from inserting the orders until all their jobs had ended."""
    until(lambda: not ReportEnvelope.objects.exists(), "an empty inbox")
    Job.objects.all().delete()
    began = time.perf_counter()
    if insert_inspections() != hosts:
        raise SystemExit("not every host was given its inspection")
    until(lambda: Job.objects.filter(state="done").count() == hosts, "the end of the sweep")
    took_s = time.perf_counter() - began
    check_readings(zones)
    return took_s


def check_readings(zones: int) -> None:
    """Every zone has a reading now, and the site knows whose it is."""
    if Sighting.objects.count() != zones or Zone.objects.exclude(owner_hostid="").count() != zones:
        raise SystemExit(f"readings are missing: {Sighting.objects.count()} sightings, {Zone.objects.count()} zones")


def forget_readings() -> None:
    """The next sweep finds nothing it knows: each reading is new."""
    for model in (OwnershipInterval, Sighting, Reading):
        model.objects.all().delete()
    Host.objects.update(state_sha256="")


def bare_tasks(root: Path, count: int) -> float:
    """Return how many seconds it took to publish `count` no-op tasks and have them worked off."""
    ends = {name: root / f"end-{uuid4()}" for name in QUEUES}
    began = time.perf_counter()
    with current_app.producer_or_acquire() as producer:
        for name, end in ends.items():
            queue = Queue(name, Exchange(""), routing_key=name)
            for task, words in [*[("noop", ["x" * 900])] * (count // AGENTS), ("noop_end", [str(end)])]:
                current_app.send_task(task, words, queue=queue, producer=producer, retry=False, ignore_result=True)
    until(lambda: all(end.exists() for end in ends.values()), "the no-op workers")
    return time.perf_counter() - began


def bare_insert(zones: int) -> float:
    """Return how many seconds a raw insert of as many readings takes, in one transaction; they are removed again."""
    columns = [column.name for column in connection.introspection.get_table_description(connection.cursor(), TABLE)]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(columns)} FROM {TABLE} LIMIT {zones}")
        rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT max(id) FROM {TABLE}")
        last = cursor.fetchone()[0]
    fresh = [{**row, "id": last + number, "nonce": uuid4().hex} for number, row in enumerate(rows, start=1)]
    places = ", ".join(["%s"] * len(columns))
    began = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        words = f"INSERT INTO {TABLE} ({', '.join(columns)}) VALUES ({places})"
        cursor.executemany(words, [tuple(row.values()) for row in fresh])
    took_s = time.perf_counter() - began
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {TABLE} WHERE id > %s", [last])
    return took_s
