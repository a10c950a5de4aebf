"""What history proposes about a scorecard: weights, curves, thresholds, stability. Never applied here."""
