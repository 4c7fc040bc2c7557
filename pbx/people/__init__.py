"""Who people are, which devices are theirs, and what they have set by hand."""
