"""What the record alone does not tell: looked up in AWS, remembered from before, worked out."""
