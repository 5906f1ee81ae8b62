"""The type table, both ways: words of the API, PostgreSQL's types, values, JSON Schema."""
