"""A table or query of Oracle to frames."""
