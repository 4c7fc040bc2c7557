"""What is heard of a recording and what leaves the house: its sound, its outline, its package."""
