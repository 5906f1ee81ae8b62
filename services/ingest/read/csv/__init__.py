"""CSV to frames of text."""
