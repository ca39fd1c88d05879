"""The commands of the operator command line, one module each."""
