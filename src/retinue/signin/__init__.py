"""Who somebody is: passwords, and signing in elsewhere."""
