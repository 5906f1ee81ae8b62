"""The files that start Swagger UI."""
