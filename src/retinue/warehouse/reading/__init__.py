"""Tables as they are: files of every format, database files, tables of the engine."""
