"""Every measurement in benchmarks/, one after the other; arguments name some of them."""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def main(names: list[str]) -> int:
    """Run them; return 0 when every limit held."""
    found = sorted(path for path in (PROJECT / "benchmarks").glob("*.py") if not path.name.startswith("_"))
    unknown = sorted(set(names) - {path.stem for path in found})
    if unknown or not found:
        sys.stderr.write(f"kzfleet: there is no benchmark {', '.join(unknown) or 'yet'}\n")
        return 1
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    codes = [
        subprocess.run([sys.executable, str(path)], cwd=PROJECT, env=env).returncode
        for path in found
        if not names or path.stem in names
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
