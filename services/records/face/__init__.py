"""Answers as the API words them, and what OpenAPI says of them."""
