"""A table or query of PostgreSQL to frames."""
