"""What a worker does: claims a run, works on it, ends it; one file per duty."""
