"""Tests of cache keys: does the same input give the same key, wherever and whenever it is asked for?"""
