"""The pools that come with the kernel: solo, threads, prefork and async (architecture.md 4)."""
