"""sgwatch: alerts on AWS security group changes (what is deployed)."""
