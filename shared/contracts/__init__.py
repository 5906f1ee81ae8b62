"""Frozen Pydantic models of what crosses a service border."""
