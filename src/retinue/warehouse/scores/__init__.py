"""Scores: from metrics to points, components and computed scores."""
