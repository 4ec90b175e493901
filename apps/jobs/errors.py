"""Refusals about jobs."""

from __future__ import annotations

from apps.base.errors import DomainError


class OrderFinished(DomainError):
    """The job has ended, or its order can no longer be taken back. Facts: state."""

    code = "order_finished"
    status = 409
    message = "this job has ended already"
    hint = "Look at its result; what it changed is undone by another job, not by taking it back."


class KeyTaken(DomainError):
    """Another order was inserted under the same key: one intended effect would happen as two things. Facts: key."""

    code = "job_key_taken"
    status = 409
    message = "this was ordered already, with other content"
    hint = "Reload, and look at the job that is there."


class ForcedOrder(DomainError):
    """The order of a forced action is not taken back as a job: that is a veto, and needs who may say no."""

    code = "forced_order"
    status = 409
    message = "the order of a forced action is not cancelled as a job"
    hint = "Veto the forced action on its own page; until the agent begins to write, one no ends it."
