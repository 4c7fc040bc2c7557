"""The SIP messages of calls, kept for a while: taken as they cross, found by call, drawn as a ladder."""
