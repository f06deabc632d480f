"""Orkestra's Python side: the command, the store, and what both need to read."""

__version__ = "0.1.0"
