"""A TCP proxy that understands Kafka's framing: it can delay, drop, cut and freeze by API and by client id, on command.

Brokers tell clients where to go next. So that they stay behind the proxy, the broker has a listener of its own for it and
advertises the proxy's address there (`tests.chaos.cluster`): nothing in the answers has to be rewritten.
"""
