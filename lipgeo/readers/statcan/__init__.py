"""Own the layouts of the files that Statistics Canada publishes."""
