"""The static results site: a stored experiment and published claims on one page."""
