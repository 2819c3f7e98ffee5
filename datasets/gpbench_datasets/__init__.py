"""The downstream datasets of gpbench, one file each; `sources/` holds pre-training sources."""
