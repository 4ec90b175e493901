"""Changing jobs: inserted, moved, taken back; orders published, reports taken in."""

from apps.jobs.services.cancelling import cancel_job, withdraw_job
from apps.jobs.services.inserting import insert_job
from apps.jobs.services.inspecting import WHOLE, inspect_now
from apps.jobs.services.moving import move_job

__all__ = ["WHOLE", "cancel_job", "insert_job", "inspect_now", "move_job", "withdraw_job"]
