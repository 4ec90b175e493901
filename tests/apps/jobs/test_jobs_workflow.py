"""The table of a job's states, both halves, applied by the one place that moves jobs."""

from __future__ import annotations

from itertools import product

import pytest
from django.db import transaction

from apps.base.errors import TransitionRefused
from apps.history.models import Event
from apps.jobs.models import Job
from apps.jobs.services import move_job
from apps.jobs.services.expiring import _RULES
from apps.jobs.workflow import ACTIVE, NEXT, OPEN, Move, State, next_state
from kernelzone.orders import Effect


@pytest.mark.parametrize(("state", "move"), sorted(set(product(State, Move)) - set(NEXT)))
def test_every_move_not_listed_is_refused(state, move):
    with pytest.raises(TransitionRefused):
        next_state(state, move)


@pytest.mark.parametrize(("state", "move"), sorted(NEXT))
def test_every_move_listed_is_applied_to_the_row(make_job, state, move):
    job = make_job(state)
    if move == Move.SIGN:
        job.envelope = b"{}"
    with transaction.atomic():
        move_job(job, move, envelope=b"{}")

    job.refresh_from_db()
    assert job.state == NEXT[state, move]
    assert (job.finished_at is not None) == (job.state not in OPEN)


@pytest.mark.parametrize("move", [Move.FINISH_FAILED, Move.FINISH_LOST, Move.FINISH_DONE])
def test_the_clock_has_no_way_to_say_how_an_order_ended(move):
    assert move not in {rule[1] for rule in _RULES.values()}


def test_what_acts_is_unknown_and_never_expired_once_it_runs():
    ends = {effect: _RULES["running", effect][1] for effect in Effect}
    assert ends == {
        Effect.READ_ONLY: Move.EXPIRE,
        Effect.SAFE: Move.FINISH_UNKNOWN,
        Effect.FORCED: Move.FINISH_UNKNOWN,
    }


def test_unknown_is_open_and_does_not_count_as_active():
    assert State.UNKNOWN in OPEN - ACTIVE


def test_of_two_who_hold_the_same_row_only_one_moves_it(make_job):
    first = make_job("sent")
    second = Job.objects.select_related("host").get(pk=first.pk)
    with transaction.atomic():
        move_job(first, Move.CANCEL)
    with pytest.raises(TransitionRefused) as refused, transaction.atomic():
        move_job(second, Move.EXPIRE)

    assert refused.value.facts == {"state": "cancelled", "move": Move.EXPIRE}
    assert Job.objects.get(pk=first.pk).state == State.CANCELLED
    assert [event.type for event in Event.objects.order_by("seq")][-1] == "job.cancel"
