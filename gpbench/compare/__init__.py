"""Stored outcomes, or a table of them, become one Comparison. Never writes; never loads a plugin."""
