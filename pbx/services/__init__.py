"""What listens to what happens and tells others: lamps, mailboxes, presence."""
