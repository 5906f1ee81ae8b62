"""JSON and NDJSON to frames of text."""
