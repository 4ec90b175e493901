"""Names of parametrized tests that are short and the same in every process (pytest-xdist compares them)."""

import re

NAME_MAX = 40


def pytest_make_parametrize_id(val: object) -> str | None:
    """Return the name of one value where pytest's own may be long, or differ from run to run.

    Bytes are named by their length (packed bytes carry a time), objects by their type (not their address).
    """
    if isinstance(val, bytes):
        return f"{len(val)}-bytes"
    if isinstance(val, str):
        name = val[:NAME_MAX].encode("unicode_escape").decode("ascii")
        return name if len(val) <= NAME_MAX else f"{name}...{len(val)}"
    if re.search(r" at 0x[0-9a-f]+", repr(val)):
        return getattr(val, "__name__", type(val).__name__)
    return None
