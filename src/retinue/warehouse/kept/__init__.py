"""What runs keep of append-only sources, so that the next one reads only what is new."""
