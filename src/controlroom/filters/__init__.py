"""Filters of lists that people keep under a name: their own, and those that they share with everyone.

A filter belongs to one list (``runs``, ``devices``, ``audit``) and is text of that list's grammar. Whoever made one may
change it; what it shows is decided by the rights of whoever opens it.
"""
