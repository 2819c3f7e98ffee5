"""Pixel counts, and the scores that a protocol derives from them. numpy only."""

from gpbench.metrics.confusion import confusion_counts
from gpbench.metrics.scores import Scores, majority_score, score

__all__ = ["Scores", "confusion_counts", "majority_score", "score"]
