"""recording: publishes one outcome for each execution, with its signal, ledger entry and notifications.

Reads: tool-results (key: action_intent_id); its own log outcomes (key: tenant, id).
Writes: outcomes, signals, ledger, notifications, compensations, recording.dlq.
Guarantee: the outcome with the highest version (offset in the execution log) is the last one published, whatever
order results arrive in; every id is made from the result's event id, and every time is the result's own, so a
replay repeats equal bytes. Nothing here decides: the verdict came from the execution log.
Tests: tests/unit/services/recording.
"""
