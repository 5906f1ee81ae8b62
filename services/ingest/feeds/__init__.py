"""Feeds: imports that come again, by schedule or when something is pushed."""
