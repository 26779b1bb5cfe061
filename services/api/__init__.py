"""api: answers what happened to an intent.

Reads `ledger` (every partition, by `assign`, without a group). Writes no topic. Key of its state: tenant and
intent id. Guarantee: the answers are a function of the ledger alone: the read model can be deleted at any time
and comes back the same; what an answer may lag behind the ledger is said in its `X-Enact-Staleness-Ms` header.
"""
