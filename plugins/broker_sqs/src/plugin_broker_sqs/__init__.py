"""Amazon SQS as a broker for kernel."""
