"""Decides from a run's folder whether enact kept its promises. Trusts nothing that enact says about itself.

It joins three logs: what was published, what the practice world received and applied, and a dump of every topic; decodes
Avro from `schemas/` by itself and has its own fold of the execution log, written from the rules alone. A promise is kept (ok),
broken (violation), or the folder does not tell (unknown): unknown is counted and never becomes ok.
"""
