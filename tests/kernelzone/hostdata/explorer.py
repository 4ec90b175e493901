"""Every interleaving of several writers on one boot storage, with the real claim, recovery and watch.

Nothing of the protocol is written down here a second time: a writer is one of the step sequences of
`kernelzone.hostdata.claim`, and what a storage shows is said by `read_region`. Here are only the scheduler,
the storage (two slots, with torn writes, crashes and writes that land late) and the properties.

A sequence of steps cannot be copied, so a writer's place in it is the list of answers it got; the place is
found again by giving them once more, and remembered. Images are interned to small numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import NamedTuple
from uuid import UUID

from kernelzone.hostdata import HostDataError, HostDataState, Record, decode_slot, read_region, repairable_slot
from kernelzone.hostdata.change import ZoneSeal, sealed
from kernelzone.hostdata.claim import (
    Intent,
    Outcome,
    ReadSlots,
    Steps,
    WriteSlot,
    claim,
    recover,
    watch,
)

ZONE_KEY = bytes(range(16))
ZONE_UUID = UUID(int=7)
AGENT = UUID(int=9)
SEAL = ZoneSeal(ZONE_KEY, ZONE_UUID, AGENT)
FIRST = 41


class Place(NamedTuple):
    """Where one writer is. doing: idle, claim, watch, recover, recover-late, down or gone.

    read: what a reading has seen so far (A, B, A, B, as the device reads); writing: a write has begun.
    """

    doing: str
    claims_left: int
    intent: int | None = None
    answers: tuple[object, ...] = ()
    read: tuple[int, ...] = ()
    writing: bool = False


class State(NamedTuple):
    """slots: what is on the storage; late: writes of the dead that may still land; won: generation, intent."""

    slots: tuple[int, int]
    writers: tuple[Place, ...]
    late: tuple[tuple[int, int], ...]
    won: tuple[tuple[int, int], ...]


class Shown(NamedTuple):
    """What a reader of the storage is told: status, generation, and who the truth names."""

    status: str
    generation: int
    owner: str | None


class BrokenProperty(AssertionError):
    """A property of the protocol does not hold in a state that can be reached."""


@dataclass
class Rules:
    """What may happen, besides the writers' own steps; and mutations, to see that the explorer finds them.

    claims: one number for each writer, how many claims it may begin.
    reads: 4 is A, B, A, B with both halves equal, as the device reads; 2 is A, B, which shows a writer
    strictly more; 1 is both at once.
    checks_truth: also what readers are told is checked, not only that a generation has one winner.
    later_generations: claims may follow a claim.
    """

    claims: tuple[int, ...] = (1, 1)
    reads: int = 2
    checks_truth: bool = True
    later_generations: bool = True
    torn: bool = True
    crashes: bool = False
    late_writes: bool = False
    watches: bool = False
    claim: Callable[..., Steps] = claim
    shows: Callable[[Shown, int, int], Shown] = lambda shown, a, b: shown
    recover: Callable[..., Steps] = recover
    repairable: Callable[[tuple[bytes, bytes], tuple[bytes, bytes]], int | None] | None = None


@dataclass
class Explorer:
    """Walks every reachable state once. `outcomes` counts how writers ended, `statuses` what was ever shown."""

    rules: Rules
    images: list[bytes] = field(default_factory=list)
    ids: dict[bytes, int] = field(default_factory=dict)
    intents: list[tuple[int, int, Intent, tuple[int, int]]] = field(default_factory=list)
    outcomes: set[Outcome] = field(default_factory=set)
    statuses: set[str] = field(default_factory=set)
    seen: set[State] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.next_of = cache(self._next_of)
        self.shown = cache(self._shown)
        self.intent_of = cache(self._intent_of)
        self.torn_image = cache(self._torn_image)

    def explore(self) -> int:
        """Return the number of states reached. Raises: BrokenProperty."""
        first = sealed(_record("0"), FIRST, SEAL).images
        start = State(
            (self._id(first[0]), self._id(first[1])),
            tuple(Place("idle", count) for count in self.rules.claims),
            (),
            (),
        )
        open_states = [start]
        self.seen = {start}
        while open_states:
            for state in self._successors(open_states.pop()):
                if state not in self.seen:
                    self.seen.add(state)
                    self._check(state)
                    open_states.append(state)
        return len(self.seen)

    # What can happen next ------------------------------------------------------------------------

    def _successors(self, state: State) -> Iterator[State]:
        for number, place in enumerate(state.writers):
            yield from self._moves(state, number, place)
        for late in state.late:
            slot, image = late
            rest = tuple(other for other in state.late if other is not late)
            yield state._replace(slots=_set(state.slots, slot, image), late=rest)

    def _moves(self, state: State, number: int, place: Place) -> Iterator[State]:
        if place.doing == "gone":
            return
        if place.doing == "idle":
            yield from self._begin(state, number, place)
        elif place.doing == "down":
            for how in ("recover", "recover-late"):
                yield self._put(state, number, place._replace(doing=how))
        else:
            yield from self._step(state, number, place)
            if self.rules.crashes and place.doing != "watch":
                yield from self._crash(state, number, place)

    def _begin(self, state: State, number: int, place: Place) -> Iterator[State]:
        """Start a claim where a reader sees CLEAN; a writer that sees anything else stays away.

        Idle writers differ by name only: of those alike, the first one begins.
        """
        if place in state.writers[:number]:
            return
        shown = self.shown(*state.slots)
        may = self.rules.later_generations or shown.generation == FIRST
        if place.claims_left and may and shown.status == "CLEAN":
            intent = self.intent_of(number, place.claims_left, state.slots)
            yield self._put(state, number, Place("claim", place.claims_left - 1, intent))

    def _step(self, state: State, number: int, place: Place) -> Iterator[State]:
        step = self.next_of(place.doing, place.intent, place.answers)
        if step == "read":
            yield self._read(state, number, place)
        elif isinstance(step, tuple):
            yield from self._write(state, number, place, *step)
        else:
            yield self._put(state, number, _answered(place, None))

    def _read(self, state: State, number: int, place: Place) -> State:
        if self.rules.reads == 1:
            return self._put(state, number, _answered(place, state.slots))
        read = (*place.read, state.slots[len(place.read) % 2])
        if len(read) < self.rules.reads:
            return self._put(state, number, place._replace(read=read))
        if read[-2:] != read[:2]:
            return self._put(state, number, place._replace(read=()))
        return self._put(state, number, _answered(place, read[:2]))

    def _write(self, state: State, number: int, place: Place, slot: int, image: int) -> Iterator[State]:
        if self.rules.torn and not place.writing:
            torn = self.torn_image(state.slots[slot], image)
            begun = state._replace(slots=_set(state.slots, slot, torn))
            yield self._put(begun, number, place._replace(writing=True))
        else:
            done = state._replace(slots=_set(state.slots, slot, image))
            yield self._put(done, number, _answered(place, True))

    def _crash(self, state: State, number: int, place: Place) -> Iterator[State]:
        down = Place("down", place.claims_left, place.intent)
        yield self._put(state, number, down)
        step = self.next_of(place.doing, place.intent, place.answers)
        if self.rules.late_writes and isinstance(step, tuple) and not state.late:
            yield self._put(state, number, down)._replace(late=(step,))

    def _ended(self, state: State, number: int, place: Place, outcome: Outcome) -> State:
        self.outcomes.add(outcome)
        after = Place("idle" if place.claims_left else "gone", place.claims_left)
        if place.doing != "watch" and outcome is Outcome.CLAIMED:
            generation = self.intents[place.intent][1]
            state = state._replace(won=(*state.won, (generation, place.intent)))
            if self.rules.watches:
                after = Place("watch", place.claims_left, place.intent)
        return self._put(state, number, after)

    def _put(self, state: State, number: int, place: Place) -> State:
        """Return `state` with one writer moved on; what only concerns itself happens at once, unless it may crash."""
        writers = state.writers
        state = state._replace(writers=(*writers[:number], place, *writers[number + 1 :]))
        if place.intent is None or place.doing == "down":
            return state
        step = self.next_of(place.doing, place.intent, place.answers)
        if step == "local" and (not place.answers or not self.rules.crashes):
            return self._put(state, number, _answered(place, None))
        is_over = isinstance(step, Outcome)  # after the last answer there is nothing left to crash in
        return self._ended(state, number, place, step) if is_over else state

    # What must hold ------------------------------------------------------------------------------

    def _check(self, state: State) -> None:
        generations = [generation for generation, _ in state.won]
        if len(set(generations)) != len(generations):
            raise BrokenProperty("two writers won one generation", state)
        shown = self.shown(*state.slots)
        self.statuses.add(shown.status)
        if self.rules.checks_truth and state.won:
            self._check_truth(state, shown)

    def _check_truth(self, state: State, shown: Shown) -> None:
        if shown.status not in ("CLEAN", "CLAIM"):
            return
        newest, intent = max(state.won)
        if shown.generation < newest:
            raise BrokenProperty(f"{shown.status} shows generation {shown.generation}, {newest} was won", state)
        if shown.generation == newest and shown.owner != self._owner(intent):
            raise BrokenProperty(f"{shown.status} names {shown.owner}, not the winner", state)

    def _shown(self, a: int, b: int) -> Shown:
        region = read_region(self.images[a], self.images[b], zone_key=ZONE_KEY, zone_uuid=ZONE_UUID)
        owner = region.record.owner_hostname if region.record else None
        return self.rules.shows(Shown(region.status.value, region.generation, owner), a, b)

    def named(self, image: int, slot: int) -> tuple[int, str] | None:
        """Return (generation, owner) of one image by itself, or None."""
        try:
            found = decode_slot(self.images[image], slot=slot, zone_key=ZONE_KEY, zone_uuid=ZONE_UUID)
        except HostDataError:
            return None
        return found.generation, found.record.owner_hostname

    def _owner(self, intent: int) -> str:
        return f"w{self.intents[intent][0]}"

    # The writers' own steps ----------------------------------------------------------------------

    def _next_of(self, doing: str, intent: int, answers: tuple[object, ...]) -> object:
        """Return what a writer does after these answers: "local", "read", (slot, image) or its Outcome."""
        steps = self._steps(doing, intent)
        try:
            step = next(steps)
            for answer in answers:
                step = steps.send(self._answer(answer))
        except StopIteration as end:
            return end.value
        if isinstance(step, ReadSlots):
            return "read"
        if isinstance(step, WriteSlot):
            return (step.slot, self._id(step.image))
        return "local"

    def _steps(self, doing: str, number: int) -> Steps:
        intent = self.intents[number][2]
        if doing == "claim":
            return self.rules.claim(intent, still_valid=lambda: True)
        if doing == "watch":
            repairable = self.rules.repairable or _repairable
            return watch(intent.new, damaged_slot=lambda seen: repairable(seen, intent.new))
        return self.rules.recover(intent, order_still_valid=doing == "recover")

    def _answer(self, answer: object) -> object:
        return tuple(self.images[image] for image in answer) if isinstance(answer, tuple) else answer

    def _intent_of(self, number: int, claims_left: int, slots: tuple[int, int]) -> int:
        old = (self.images[slots[0]], self.images[slots[1]])
        region = read_region(*old, zone_key=ZONE_KEY, zone_uuid=ZONE_UUID)
        record = replace(_record(f"w{number}"), previous_digest=region.record_digest, updated_at=claims_left)
        new = sealed(record, region.generation + 1, SEAL).images
        mine = (self._id(new[0]), self._id(new[1]))
        self.intents.append((number, region.generation + 1, Intent(old, new), mine))
        return len(self.intents) - 1

    def _torn_image(self, old: int, new: int) -> int:
        return self._id(self.images[new][:2048] + self.images[old][2048:])

    def _id(self, image: bytes) -> int:
        number = self.ids.setdefault(image, len(self.images))
        if number == len(self.images):
            self.images.append(image)
        return number


def skipping(step: str) -> Callable[..., Steps]:
    """Return the real claim with the reading W1, W3 or W5 left out: answered as if all were well."""
    place = ("W1", "W3", "W5").index(step)

    def mutated(intent: Intent, *, still_valid: Callable[[], bool]) -> Steps:
        (old_a, old_b), new = intent
        hoped = ((old_a, old_b), (new[0], old_b), new)[place]
        steps = claim(intent, still_valid=still_valid)
        readings, answer = 0, None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return end.value
            is_left_out = isinstance(step, ReadSlots) and readings == place
            readings += isinstance(step, ReadSlots)
            answer = hoped if is_left_out else (yield step)

    return mutated


def recover_restoring_b(intent: Intent, *, order_still_valid: bool) -> Steps:
    """Return the recovery that the format forbids: it puts the old image back into both slots."""
    seen = yield ReadSlots()
    if seen == intent.old:
        return Outcome.NOT_APPLIED
    yield WriteSlot(0, intent.old[0])
    yield WriteSlot(1, intent.old[1])
    return Outcome.NOT_APPLIED


def _repairable(seen: tuple[bytes, bytes], mine: tuple[bytes, bytes]) -> int | None:
    return repairable_slot(seen, mine, zone_key=ZONE_KEY, zone_uuid=ZONE_UUID)


def _record(owner: str) -> Record:
    return Record(
        state=HostDataState.INSTALLED,
        owner_hostid="848611d4",
        owner_hostname=owner,
        owner_agent=AGENT,
        updated_at=0,
        incarnation=bytes(16),
    )


def _answered(place: Place, answer: object) -> Place:
    return place._replace(answers=(*place.answers, answer), read=(), writing=False)


def _set(slots: tuple[int, int], slot: int, image: int) -> tuple[int, int]:
    return (image, slots[1]) if slot == 0 else (slots[0], image)
