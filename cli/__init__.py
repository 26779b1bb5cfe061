"""The operator's command `enact`: one module per group of verbs."""
