"""The server: one process and one port for the web and the API."""
