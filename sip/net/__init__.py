"""Sockets for the SIP core: UDP, TCP and the driver that joins them to a stack."""
