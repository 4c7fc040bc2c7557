"""Sans-IO SIP: grammar, messages, transactions, dialogs, digest, registrar.

No clock, no socket, no random source: time and identifiers are given to it.
"""
