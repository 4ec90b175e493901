"""The Celery worker of an agent: one queue, four threads, the settings that were measured.

Source: agent.md, "Celery settings (measured, not defaults)".
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import warnings
from collections import deque
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, Final

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import setup_logging, worker_shutting_down
from kombu.entity import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

from kernelzone.orders import MOST_ORDERS_A_MESSAGE
from kernelzone.rubbish import look_rarely
from kzagent import supervisor, watching
from kzagent.agent import Agent
from kzagent.broker import TASK, Channel
from kzagent.execution import execute
from kzagent.identity import Settings
from kzagent.pulse import Pulse
from kzagent.readiness.broker import answers

logger = logging.getLogger(__name__)

THREADS: Final = 4
# An agent of many slow hosts asks so many at once, once a message has taken so long.
OTHERS: Final = 16
MOST_SLOW: Final = 60
ALONE_S: Final = 1.0
# An order that has reached INTENT needs milliseconds; what takes longer gives way, and a crash is recovered from.
STOP_WITHIN_S: Final = 5.0
PULSE_EVERY_S: Final = 5.0


def queue_name(settings: Settings) -> str:
    """Return the one queue of an agent, however many hosts it acts for."""
    return f"agent.{settings.agent}"


def celery_settings(settings: Settings) -> dict[str, Any]:
    """Return Celery's settings for an agent."""
    name = queue_name(settings)
    return {
        "broker_url": settings.broker,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "task_default_exchange": "",
        "task_default_queue": name,
        "task_default_routing_key": name,
        "task_queues": [_queue(name)],
        "task_acks_late": False,
        "task_reject_on_worker_lost": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            "ack_emulation": False,
            "priority_steps": [0],
            "global_keyprefix": settings.broker_prefix,
            "socket_timeout": 15,
            "socket_keepalive": True,
            "health_check_interval": 10,
        },
        "timezone": "UTC",
    }


def _queue(name: str) -> Any:
    # Without the empty exchange every agent would touch one shared binding key.
    exchange: Any = Exchange
    queue: Any = Queue
    return queue(name, exchange(""), routing_key=name)


def threads_of(agent: Agent) -> int:
    """Return how many messages are worked on at once: one more for each host that is slow to answer, up to a limit."""
    return THREADS + _slow_hosts(agent)


def _slow_hosts(agent: Agent) -> int:
    return min(sum(driver.is_slow for driver in agent.drivers.values()), MOST_SLOW)


def celery_app(agent: Agent, pulse: Pulse | None = None) -> Celery:
    """Return the Celery application whose only task runs envelopes for `agent`; `pulse` is told of each."""
    pulse = pulse or _new_pulse(agent)
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = "kzagent.broker:Transport"
    # Without fixups: an environment that names Django's settings must not make an agent load Django.
    app = Celery("kzagent", set_as_current=False, fixups=set())
    app.config_from_object(celery_settings(agent.settings))

    others = ThreadPoolExecutor(max(OTHERS, _slow_hosts(agent)), thread_name_prefix="orders")

    def run(envelopes: str) -> None:
        with pulse.at_work():
            execute_each(agent, others, envelopes)

    app.task(name=TASK, ignore_result=True, acks_late=False)(run)
    return app


def execute_each(agent: Agent, others: Executor, text: str) -> None:
    """Do what every order of a message says, one a line; return when all are done. The rest of the queue waits.

    Hosts that answer at once are quickest asked by one thread; when that takes long, be it for the very first of them,
    `others` help.
    """
    envelopes = text.split("\n")
    if len(envelopes) == 1 or len(envelopes) > MOST_ORDERS_A_MESSAGE:
        execute(agent, text)  # which refuses what is no envelope
        return
    waiting, is_done = deque(envelopes), threading.Event()
    calling = others.submit(_call_help, agent, others, waiting, is_done)
    _work_off(agent, waiting)
    is_done.set()
    helpers = [] if calling.cancel() else calling.result()
    for helper in helpers:
        if not helper.cancel():
            helper.result()


def _call_help(agent: Agent, others: Executor, waiting: deque[str], is_done: threading.Event) -> list[Future[None]]:
    """Return who helps, once one thread was not done in a moment."""
    if is_done.wait(ALONE_S):
        return []
    return [others.submit(_work_off, agent, waiting) for _ in range(min(len(waiting), MOST_SLOW))]


def _work_off(agent: Agent, waiting: deque[str]) -> None:
    while True:
        try:
            envelope = waiting.popleft()
        except IndexError:
            return
        execute(agent, envelope)


def serve(agent: Agent) -> int:
    """Work off the queue until the process is told to stop; return the exit code."""
    pulse = _new_pulse(agent)
    app = celery_app(agent, pulse)
    Channel.on_answer = staticmethod(pulse.beat)
    worker_shutting_down.connect(_stopper(agent, pulse), weak=False)
    setup_logging.connect(_leave_alone, weak=False)
    # Celery warns a worker of the superuser because of pickle; this one takes nothing but one string.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    threads = watching.start(agent)
    threading.Thread(target=_watch_pulse, args=(agent, pulse), name="pulse", daemon=True).start()
    look_rarely()
    # Not only once the broker answers: until then the agent reports, and keeps its hosts from harm.
    supervisor.tell(supervisor.READY)
    worker = app.Worker(
        pool="threads",
        concurrency=threads_of(agent),
        queues=[queue_name(agent.settings)],
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        hostname=queue_name(agent.settings),
        quiet=True,
    )
    try:
        worker.start()
    except SystemExit as ended:
        logger.info("the worker ended: %s", ended.code)
    finally:
        was_told = agent.stopping.is_set()
        _stop(agent)
        for thread in threads:
            thread.join(timeout=1.0)
    return 0 if was_told and not pulse.has_stalled else 1


def _new_pulse(agent: Agent) -> Pulse:
    return Pulse(threads_of(agent), 2 * agent.settings.heartbeat_s)


def _watch_pulse(agent: Agent, pulse: Pulse) -> None:
    """Tell the supervisor that the worker works; end a worker that has stopped taking orders."""
    while not agent.stopping.wait(PULSE_EVERY_S):
        if pulse.is_stalled(lambda: answers(agent.settings)):
            logger.error("this worker does not hear from a broker that answers others: it ends, to be started again")
            os.kill(os.getpid(), signal.SIGTERM)
            return
        supervisor.tell(supervisor.ALIVE)


def _stopper(agent: Agent, pulse: Pulse) -> Any:
    def stopped(**_: object) -> None:
        supervisor.tell(supervisor.STOPPING)
        _stop(agent)
        deadline = threading.Timer(STOP_WITHIN_S, os._exit, args=(int(pulse.has_stalled),))
        deadline.daemon = True
        deadline.start()

    return stopped


def _leave_alone(**_: object) -> None:
    """Celery configures no output: the process has done so."""


def _stop(agent: Agent) -> None:
    agent.stopping.set()
    agent.reports.new.wake()
