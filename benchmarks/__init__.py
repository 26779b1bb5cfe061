"""Measurements of the whole pipeline, side by side with the bare client loop: README.md says how to run and read them."""
