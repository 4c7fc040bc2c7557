"""Recordings while they are made: from the tape into sealed files, and the process that does it."""
