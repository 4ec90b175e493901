"""Many orders in one message: none of them waits for one that hangs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kzagent import worker

SOON_S = 10


@pytest.fixture
def others() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


class Hosts:
    """Orders that are done at once, besides one whose host answers when it is let go."""

    def __init__(self, slow: str) -> None:
        self.slow = slow
        self.done: list[str] = []
        self.may_answer, self.all_but_one = threading.Event(), threading.Event()
        self.threads: set[int] = set()

    def execute(self, agent: Any, text: str) -> None:
        """Stands for kzagent.execution.execute."""
        self.threads.add(threading.get_ident())
        if text == self.slow:
            assert self.may_answer.wait(SOON_S)
        self.done.append(text)
        if len(self.done) == 9:
            self.all_but_one.set()


@pytest.mark.parametrize("slow", ["order 0", "order 5", "order 9"])
def test_the_orders_of_a_message_do_not_wait_for_one_whose_host_hangs(
    others: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    hosts = Hosts(slow)
    monkeypatch.setattr(worker, "execute", hosts.execute)
    monkeypatch.setattr(worker, "ALONE_S", 0.01)
    message = others.submit(worker.execute_each, None, others, "\n".join(f"order {n}" for n in range(10)))  # type: ignore[arg-type]

    assert hosts.all_but_one.wait(SOON_S)
    assert not message.done()
    hosts.may_answer.set()
    message.result(SOON_S)
    assert sorted(hosts.done) == [f"order {n}" for n in range(10)]


def test_orders_that_are_done_at_once_are_done_by_one_thread_in_their_order(
    others: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = Hosts("none")
    monkeypatch.setattr(worker, "execute", hosts.execute)
    worker.execute_each(None, others, "\n".join(f"order {n}" for n in range(10)))  # type: ignore[arg-type]
    assert (hosts.done, len(hosts.threads)) == ([f"order {n}" for n in range(10)], 1)


def test_a_message_is_worked_off_while_all_others_are_busy(
    others: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts, go_on = Hosts("none"), threading.Event()
    busy = [others.submit(go_on.wait, SOON_S) for _ in range(4)]
    monkeypatch.setattr(worker, "execute", hosts.execute)
    worker.execute_each(None, others, "\n".join(f"order {n}" for n in range(10)))  # type: ignore[arg-type]
    assert len(hosts.done) == 10
    assert not any(one.done() for one in busy)
    go_on.set()
