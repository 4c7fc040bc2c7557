"""What proves a recording: its sealed file, the journal, and what verifies both.

Whoever has an export has this package in it, and needs nothing but Python and `cryptography` to run it.
"""
