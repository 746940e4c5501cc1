"""MessagePack for kernel; found through the entry point ``serializer.msgpack``."""
