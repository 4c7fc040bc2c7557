"""Notifications to browsers in which no page of ours is open (RFC 8030, RFC 8291, RFC 8292).

A browser that somebody allows to has an address at its maker's push service, and keys of its own. What is
told there is encrypted for that browser: the service sees who sends, when, and how many bytes.
"""
