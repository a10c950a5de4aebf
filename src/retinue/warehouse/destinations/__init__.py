"""Databases and warehouses that published tables are written to, for BI."""
