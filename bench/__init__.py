"""Speeds, as ratios against peers measured in the same run; results stand in `bench/*.md`."""
