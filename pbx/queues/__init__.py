"""Queues: who waits (`place`), who answers (`agents`), who gets whom (`dispatch`), who is to be called back
(`call_backs`), how long it takes (`estimate`), what has been done (`figures`)."""
