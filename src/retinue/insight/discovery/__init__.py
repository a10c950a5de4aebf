"""Leading indicators: what accounts that stay did early, and those that leave did not."""
