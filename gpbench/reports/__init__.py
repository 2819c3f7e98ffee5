"""A Comparison as text, JSON, Markdown or CSV. Shows what it is given, tests nothing."""
