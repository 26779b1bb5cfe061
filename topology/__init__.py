"""What exists: every topic, stage and edge, declared once. Declarations and renderers only, no I/O."""
