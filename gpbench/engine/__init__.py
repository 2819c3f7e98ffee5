"""The one training loop of all stages, with what makes it exact and resumable."""
