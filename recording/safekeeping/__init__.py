"""What keeps recordings beyond one disk and one clock: copies, stamps, room, a backup of the keys."""
