"""Portable kernel zones: hosts as directories, boot storage as image files, guests as real processes.

Nothing is imported here: a guest imports this package, and there are many guests.
"""
