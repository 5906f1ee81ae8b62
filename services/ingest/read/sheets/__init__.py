"""Workbooks (xlsx, xlsb, ods, xls) to rows of text, each cell by its own type.

Everything here but `workbook` runs in a child process with a memory limit (`read.confined`), so it
imports the standard library and nothing of ours outside this folder but `read.serving`.
"""
