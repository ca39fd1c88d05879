"""The operator command line; not deployed."""
