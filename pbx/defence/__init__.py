"""What protects a node: limits for everybody, bans for scanners, budgets against toll fraud.

Nothing here reads a clock or a socket: time is a parameter, and what is kept is kept in bounded tables.
"""
