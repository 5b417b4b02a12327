"""Own the geometry of shares: which part of each unit lies in each area."""
