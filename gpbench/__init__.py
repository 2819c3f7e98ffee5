"""gpbench: which pre-training is best for segmenting remotely sensed images. Imports nothing."""

__version__ = "0.1.0"
