"""SIP: `core` decides and never touches the world, `net` moves bytes, `user_agent` is the awaitable face."""
