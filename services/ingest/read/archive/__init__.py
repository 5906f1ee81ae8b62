"""A file inside a ZIP or tar archive. `__main__` runs in a process of its own (`read.confined`)."""
