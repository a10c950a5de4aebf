"""One module per page: what an address means, and which template shows it."""
