#!/usr/bin/env python
"""The door to every management command of kzfleet."""

import os
import sys


def main() -> int:
    """Run the command in `sys.argv`; return the exit code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kzfleet.settings")
    try:
        from django.core.management import execute_from_command_line  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        sys.stderr.write(f"The package {missing.name} is missing: run `make install`, or `make run`.\n")
        return 1
    execute_from_command_line(sys.argv)
    return 0


if __name__ == "__main__":
    sys.exit(main())
