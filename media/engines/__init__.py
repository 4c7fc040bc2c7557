"""Implementations of `media.engine.MediaEngine`."""
