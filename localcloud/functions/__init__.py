"""Lambda functions run as Lambda runs them: a process per function, AWS's own runtime client in it."""
