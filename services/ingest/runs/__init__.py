"""The row of an import: every statement on imports, reads and rejects."""
