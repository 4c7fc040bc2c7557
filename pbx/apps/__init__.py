"""What runs over a call: one straight-line coroutine each."""
