"""What is odd in the data of a project, found before it is scored."""
