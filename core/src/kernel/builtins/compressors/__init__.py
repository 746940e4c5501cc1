"""The compressors that come with the kernel: zlib, gzip, bzip2 and lzma."""
