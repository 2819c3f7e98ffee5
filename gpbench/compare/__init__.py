"""Stored outcomes or a table of them become one Comparison. Never writes or loads a plugin."""
