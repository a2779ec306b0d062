"""Real weights: how they fit a machine, reach it across an air gap, and whether they are whole.

``plan`` computes, ``fetch`` downloads on a connected machine, ``pack`` and ``import_`` carry them
over, ``verify`` names the first bad file.
"""
