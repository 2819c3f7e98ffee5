"""Running a plan: which stage next, in which process, and what is told on the way."""
