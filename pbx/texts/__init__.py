"""Short texts between people (SIP MESSAGE), and those that wait for somebody."""
