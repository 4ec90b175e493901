"""The transcripts of the real commands, without the lines that are ours."""

from pathlib import Path

FOLDER = Path(__file__).parent.parent / "data" / "transcripts"


def transcript(name: str) -> str:
    """Return the output in `name`."""
    lines = (FOLDER / name).read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("#"))
