"""AWS as it is documented to be and moto is not: slow to settle, eventually consistent, throttled."""
