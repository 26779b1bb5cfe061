"""The model check of the execution log: it walks the real fold through the interleavings of two owners.

`world` is one log, two owners, the calls they made and what came of them; `owners` and `surroundings` are
the moves; `properties` says what must never be seen; `search` tries every order; `scenarios` sets the
bounds; `mutants` plants the bugs that each rule is there for. Deeper: `python -m tests.unit.enact.execution_model --deep`.
"""
