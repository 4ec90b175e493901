"""The way to the site and back: the outbox is posted, the answer says what it holds, wants and withdraws."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from typing import Final

from kernelzone.words import HostId
from kzagent.authority import Authority
from kzagent.errors import JournalError, LinkError
from kzagent.journal import Journal
from kzagent.obligations import KeptObligations
from kzagent.post import Answer, Post
from kzagent.reports import Reports

logger = logging.getLogger(__name__)

MAX_BATCH: Final = 200
MAX_BATCH_BYTES: Final = 8 * 1024 * 1024 - 256 * 1024
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0
# Reports that follow each other so closely go together, for at most so long.
QUIET_S: Final = 0.02
GATHER_S: Final = 0.2


class Link:
    """Posts what the outbox holds, one batch at a time."""

    def __init__(
        self, post: Post, journal: Journal, reports: Reports, authority: Authority, obligations: KeptObligations
    ) -> None:
        self._post = post
        self._journal = journal
        self._reports = reports
        self._authority = authority
        self._obligations = obligations
        self._one_at_a_time = threading.Lock()
        self._wanting = threading.Lock()
        self._has_met = False
        self._again: deque[bytes] = deque(maxlen=MAX_BATCH)
        self._wanted: set[HostId] = set()

    def send_again(self, envelope: bytes) -> None:
        """Send a report once more that the site may have lost."""
        self._again.append(envelope)
        self._reports.new.wake()

    def take_wanted(self) -> set[HostId]:
        """Return the hosts whose full state the site has asked for since the last call."""
        with self._wanting:
            wanted, self._wanted = self._wanted, set()
        return wanted

    def exchange(self) -> bool:
        """Return whether nothing is left to send; one batch was posted and its answer taken in.

        Raises: LinkError, JournalError.
        """
        with self._one_at_a_time:
            self._post_repeated()
            # The first one carries nothing: only its answer tells whether this journal is the one the site knows.
            outgoing = self._journal.outgoing(MAX_BATCH, MAX_BATCH_BYTES) if self._has_met else []
            if outgoing:
                self._journal.flush()
            before = (self._journal.epoch, self._journal.acknowledged)
            self._take(self._post.batch([self._reports.signed_now(report.envelope) for report in outgoing]))
            if outgoing and before == (self._journal.epoch, self._journal.acknowledged):
                raise LinkError("the site holds none of what it was sent")
            return not self._again and not self._journal.outgoing(1, 1)

    def ask(self) -> None:
        """Post an empty batch for the sake of the answer. Raises: LinkError, JournalError."""
        with self._one_at_a_time:
            self._take(self._post.batch([]))

    def run(self, stopping: threading.Event) -> None:
        """Send whatever is new at once, until `stopping`; after a failure wait ever longer."""
        pause_s = FIRST_PAUSE_S
        while not stopping.is_set():
            try:
                if self.exchange() and self._reports.new.wait(LONGEST_PAUSE_S):
                    self._gather()
                pause_s = FIRST_PAUSE_S
            except (LinkError, JournalError) as error:
                logger.warning("reports wait: %s", error)
                stopping.wait(pause_s * random.uniform(0.75, 1.25))  # noqa: S311 - only spreads the load
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            except Exception:
                # The loop that carries every report must outlive a bug in one of them.
                logger.exception("reports wait: unexpected")
                stopping.wait(LONGEST_PAUSE_S)

    def _gather(self) -> None:
        """Wait until no more reports follow at once: each post has its price, here and more so at the site."""
        give_up_at = time.monotonic() + GATHER_S
        while self._reports.new.wait(QUIET_S) and time.monotonic() < give_up_at:
            pass

    def _post_repeated(self) -> None:
        """Post the repeated reports alone: they may be of an older epoch, and the answer is about the last one."""
        while self._again:
            self._hear(self._post.batch([self._reports.signed_now(self._again.popleft())]))

    def _take(self, answer: Answer) -> None:
        why = self._break_in_the_journal(answer)
        self._has_met = True
        if why:
            self._reports.begin_epoch(why)
        elif answer.epoch == self._journal.epoch:
            self._journal.confirm(answer.seq)
        self._hear(answer)

    def _hear(self, answer: Answer) -> None:
        self._authority.keys.hear(answer.authority)
        with self._wanting:
            self._wanted.update(answer.wanted)
        if answer.beacon is not None:
            self._authority.hear(answer.beacon)
        if answer.obligations is not None and self._obligations.hear(answer.obligations):
            with self._wanting:
                self._wanted.update(self._obligations.hosts())

    def _break_in_the_journal(self, answer: Answer) -> str:
        """Return why this journal and what the site holds cannot both be whole, or nothing."""
        if answer.epoch != self._journal.epoch:
            return "the site knows another epoch" if self._journal.acknowledged else ""
        # Before the first answer nothing new was sent, whatever was made since this journal was opened.
        most = self._journal.last_seq if self._has_met else self._journal.opened_at_seq
        if answer.seq > most:
            return "the site holds reports this journal does not know: it was restored"
        if answer.seq < self._journal.acknowledged:
            return "the site has lost reports it had confirmed"
        return ""
