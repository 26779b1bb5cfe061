"""tool_mapping: turns an admitted intent into exactly the request its pinned registry version describes.

Reads: intents.validated (key: action_intent_id); the table registry.
Writes: tool-calls (a call, or a refusal in its place), ledger, tool-mapping.dlq.
Guarantee: no state and no decision; the same ValidatedIntent and registry version give the same bytes, whoever
maps them and however often.
Tests: tests/unit/services/tool_mapping, tests/unit/enact/test_mapping.py.
"""
