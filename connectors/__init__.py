"""The outside world: one contract, one HTTP client that calls exactly once, one folder for each system."""
