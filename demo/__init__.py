"""The demo: the main job on real data, through the public API alone."""
