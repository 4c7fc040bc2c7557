"""Sans-IO SIP: grammar, messages, transactions, dialogs, digest, registrar. No clock, socket or random source."""
