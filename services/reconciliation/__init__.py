"""reconciliation: finds what is neither ended nor alive, and sends it again, expires it or reports it.

Reads: admissions, executions, ledger, outcomes (keys: tenant, id, generation; tenant, id; id; tenant, id).
Writes: intents.returned, executions (EXPIRED only), notifications, reconciliation.dlq. The ledger and its checkpoints are declared for it
and not written yet.
Guarantee: it decides nothing. What it sends again is the same generation, which every stage answers from what it knows
(rule 4), at most five times, then a person is told once; what it expires is what the owner of the execution log would
expire. It acts only on partitions of which all four topics were read to their end, and only at a pace.
Tests: tests/unit/services/reconciliation, tests/contract/stages/test_reconciliation.py, tests/e2e/test_reconciliation.py.
"""
