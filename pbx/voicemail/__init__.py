"""Voice messages on the disk, and the letters that bring them."""
