"""Webhooks: what happened to imports, feeds and tables, told to other programs."""
