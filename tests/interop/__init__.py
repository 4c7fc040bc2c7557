"""Beffroi against real peers: Debian's baresip and SIPp, each alone in a network namespace of its own."""
