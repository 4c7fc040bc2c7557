"""Who did what to this node: a journal that only grows, signed by the node, shown, exported and verified."""
