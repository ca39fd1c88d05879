"""The CloudWatch alarm path: what it consists of, whether it would fire, how to mend it."""
