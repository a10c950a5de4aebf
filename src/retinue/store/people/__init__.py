"""Who may come in, what each may see and do, and what they did."""
