"""What processes print: one JSON object a line, UTC, without secrets."""

import logging
import sys
from typing import Any

import structlog

# Keys whose value is never printed, wherever they stand.
SECRET_WORDS = ("password", "secret", "token", "authorization", "cookie", "key_hex", "private", "passphrase")
HIDDEN = "[hidden]"


def hide_secrets(_sink: Any, _method: str, entry: Any) -> Any:
    """Return `entry` with the value of each key that names a secret replaced, at every depth."""
    return _hidden(entry)


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: HIDDEN if _names_a_secret(key) else _hidden(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(inner) for inner in value]
    return value


def _names_a_secret(key: object) -> bool:
    return any(word in str(key).lower() for word in SECRET_WORDS)


def configure_diagnostics(*, process: str, level: str, as_json: bool) -> None:
    """Send structlog and the standard library's logging to standard error, alike."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
    ]
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            renderer,
        ],
    )
    sink = logging.StreamHandler(sys.stderr)
    sink.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [sink]
    root.setLevel(level)
    # One line a request or task says nothing that the history and the jobs do not say better.
    for chatty in ("uvicorn.access", "celery.worker.strategy", "celery.app.trace", "celery.beat"):
        logging.getLogger(chatty).setLevel("WARNING")
    # A refusal (4xx) is no trouble of the site's; those that matter are events of the history.
    logging.getLogger("django.request").setLevel("ERROR")
    structlog.contextvars.bind_contextvars(process=process)
