"""Names of the tasks, which services wake and `tasks.py` defines."""

from typing import Final

ADVANCE: Final = "apps.forced_actions.advance_forced_actions"
EXPIRE: Final = "apps.forced_actions.expire_forced_actions"
# of sheets and jobs that a forced action wants, and of events about it
SUBJECT: Final = "forced-action"
