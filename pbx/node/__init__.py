"""The machine that this runs on: installation, certificates, backup, sockets, and what is wrong with it."""
