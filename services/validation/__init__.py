"""validation: admits or refuses each intent once; the first decision in the log stands.

Reads: intents.approved, intents.returned (key: action_intent_id); its own log admissions (key: tenant, id,
generation); the tables registry and switches.
Writes: admissions; and, only from what it read back there: intents.validated, tool-calls (refusals), ledger,
validation.dlq. An intent in another partition goes to intents.returned.
Guarantee: one (tenant, id, generation) has one decision for ever; whatever is read again, from whatever
offset, repeats what follows from that decision, byte for byte, and decides nothing again.
Tests: tests/unit/services/validation.
"""
