"""Bugs planted on purpose, one at a time, into stages that run as processes: the checker must see each of them.

`python -m tests.chaos.planted [NAME…]` runs each bug in the scenario that brings it to light, and before it the same scenario
without the bug, in which the checker must find nothing broken; it prints how many runs each bug took to be seen. The product
knows nothing of this: the patches are made by `tests.chaos.planted.spawn`, which starts the stage.
"""
