"""Several two-set comparisons over one table, concluded together under one false-discovery rate."""
