"""The pre-training sources of gpbench, one file each."""
