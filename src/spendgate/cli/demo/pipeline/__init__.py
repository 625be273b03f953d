"""The cache key that cost $80,000, played again: a pipeline, its cache, and a deploy that broke it."""
