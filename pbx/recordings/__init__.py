"""Which calls are recorded, from signalling's side; the recorder itself is a process (`recording`)."""
