"""The same store, filled beforehand: on one machine, by shards, or on a Ray cluster.

An answer is a function of one image and a model, and the store is content-addressed, so the work
can be cut anywhere and done anywhere.
"""
