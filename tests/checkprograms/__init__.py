"""The parts of tests/check-programs."""
