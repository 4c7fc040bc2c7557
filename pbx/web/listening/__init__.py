"""Recordings in the pages: opened by workshops beside the web process, heard from memory, packed on disk.

routes ──> hearings ──┐                    sound in memory, in pieces as a browser asks for them
      ──> packages ──┼─> workshop ──> the program that opens a recording (recording.export.workshop)
      ──> proof ──────┘
keys      the private key, for as long as it takes to open a recording's own
"""
