"""One module per command of the ``sgwatch`` command line."""
