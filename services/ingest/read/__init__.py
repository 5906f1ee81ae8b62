"""Stored bytes, tables and queries to frames of text; a file format is one file."""
