"""Sessions with other people's PostgreSQL."""
