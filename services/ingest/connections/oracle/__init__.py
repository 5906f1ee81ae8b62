"""Sessions with other people's Oracle."""
