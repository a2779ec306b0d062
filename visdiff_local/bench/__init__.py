"""Benchmarks: how good is the program where the answer is known, and silent where there is none?"""
