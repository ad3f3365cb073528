"""Data: validation, features, memory and ingestion, as ratios in one run. `make bench-data`."""

import sys

from benchmarks import features, ingestion, validation
from benchmarks.measures import report


def main() -> int:
    """Measure all of them, one after the other, and print."""
    return report("data", [*validation.measures(), *features.measures(), *ingestion.measures()])


if __name__ == "__main__":
    sys.exit(main())
