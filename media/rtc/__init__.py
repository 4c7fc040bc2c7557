"""Browsers' media: ICE-lite, DTLS-SRTP and plain RTP, in a process of its own."""
