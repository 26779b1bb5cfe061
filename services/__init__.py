"""The stages, in the order a record meets them; they meet only in topics."""
