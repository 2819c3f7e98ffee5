"""Stages: spec -> outcome. Each reads top to bottom like a story."""
