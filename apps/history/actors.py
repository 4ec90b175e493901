"""Who did it: the four kinds of actor an event may name."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol


class Actor(NamedTuple):
    """kind: person, agent, system or ticket. id: a uuid, or a fixed word for `system`. name: for people."""

    kind: str
    id: str
    name: str


class _Person(Protocol):
    @property
    def person_id(self) -> object: ...

    def get_username(self) -> str: ...


class _Agent(Protocol):
    @property
    def pk(self) -> object: ...


KINDS: Final = ("person", "agent", "system", "ticket")
SYSTEM: Final = Actor("system", "kzfleet", "kzfleet")


def person(user: _Person) -> Actor:
    """Return the actor for a user. The id is the person's, shared by all accounts of that person."""
    return Actor("person", str(user.person_id), user.get_username())


def agent(agent: _Agent) -> Actor:
    """Return the actor for an agent row; its primary key is the agent's uuid."""
    return Actor("agent", str(agent.pk), str(getattr(agent, "name", "") or agent.pk))


def ticket(connection: str, external_id: str) -> Actor:
    """Return the actor for a decision that was read from a ticket."""
    return Actor("ticket", f"{connection}:{external_id}", f"ticket {external_id}")


def part(name: str) -> Actor:
    """Return the actor for one process of ours (`signer`, `control`), which is of kind system."""
    return Actor("system", name, name)
