"""Helpers of several test modules: doubles, tiny checkpoints, example runs."""
