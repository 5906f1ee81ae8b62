"""Webhooks: who is called, what for, and each delivery; a neighbour that knows no imports."""
