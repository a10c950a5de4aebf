"""The store as a whole: copies of it, taking a person out of it, how it is doing."""
