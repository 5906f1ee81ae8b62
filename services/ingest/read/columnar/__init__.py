"""Parquet and Arrow files to typed frames.

`__main__` and `normal` run in a child process with a memory limit (`read.confined`).
"""
