"""Hold what is measured: the dictionary of indicators, and the rows of a new census for it."""
