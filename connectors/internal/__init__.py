"""Notes, tasks and briefs that enact keeps itself, on a compacted topic: no network, idempotent by key, reversible."""
