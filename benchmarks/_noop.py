"""A Celery worker that does nothing, with the settings of ours: the bare side of the inspection benchmark."""

from pathlib import Path

from kzfleet.celery import app


@app.task(name="noop", ignore_result=True)
def noop(envelope: str) -> None:
    """Do nothing with an order's text."""


@app.task(name="noop_end", ignore_result=True)
def noop_end(path: str) -> None:
    """Say that all before it were taken."""
    Path(path).touch()
