"""Make pages, documents and files to take away of one portal state."""
