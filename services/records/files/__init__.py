"""Exports on their way out: what COPY gives, turned into a file piece by piece."""
