"""Models kept open behind an OpenAI-compatible interface, on loopback, for whoever has the token.

One queue stands in front of the models: requests that arrive together are computed as one batch.
"""
