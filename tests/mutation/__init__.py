"""Small bugs by the hundred: each is planted in a pure module, in memory, and a test must see it. `make mutation` runs it."""
