"""What pages, commands and own programs ask of calls."""
