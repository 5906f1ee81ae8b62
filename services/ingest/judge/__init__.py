"""Frames to typed rows or reasons."""
