"""Getting alerts to destinations; retries live here and nowhere else."""
