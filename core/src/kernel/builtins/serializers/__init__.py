"""The serializers that come with the kernel: json and pickle."""
