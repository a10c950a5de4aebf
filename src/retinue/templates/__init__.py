"""Projects to begin with, one for each industry, and `retinue init`."""

from retinue.templates.init import Created, create, names

__all__ = ["Created", "create", "names"]
