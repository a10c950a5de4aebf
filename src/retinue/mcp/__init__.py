"""The tools of an assistant: the desk over the Model Context Protocol, on standard input and output.

Whoever asks is a person, as everywhere: they see their accounts and have the rights of their role.
"""
