"""Caches in front of paid calls: keys that repeat when their input does."""
