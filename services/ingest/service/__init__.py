"""Use cases: `submission` and `steering` for callers, `running` and `upkeep` for workers."""
