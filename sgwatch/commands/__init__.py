"""One module for each command; sgwatch/__main__.py lists them."""
