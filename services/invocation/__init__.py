"""invocation: makes each permitted call once and says what the world did.

Reads: tool-calls (key: action_intent_id); its own log executions (key: tenant, id); the tables registry and
switches.
Writes: executions; and, only from what it read back there: tool-results, ledger, intents.returned,
invocation.dlq; probes on switches; internal-objects through the internal connector.
Guarantee: a call is made only for a claim that the log before its offset permits, at most once for each
claim; what nobody can say ends IN_DOUBT. Replaying either topic from any offset makes no call.
Tests: tests/unit/services/invocation, tests/e2e.
"""
