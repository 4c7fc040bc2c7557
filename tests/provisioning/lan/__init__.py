"""Desk telephones walk their makers' sequences against a real node, a real DHCP server and the real wire."""
