"""Facts: tables typed, on the project's days and accounts."""
