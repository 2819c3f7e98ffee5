"""Pixel counts, and the scores that a protocol derives from them. numpy only."""

from gpbench.metrics.confusion import confusion_counts
from gpbench.metrics.scores import MeanScores, Scores, majority_score, mean_scores, score

__all__ = ["MeanScores", "Scores", "confusion_counts", "majority_score", "mean_scores", "score"]
