"""Drift: whether a score still says what it said when it was tried, and what to renew if not."""
