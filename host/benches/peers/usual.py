"""Replaces a file again and again in the usual way, and prints the seconds of one time.

python3 usual.py ROOT COUNT durable|data|visible BYTES
"""

import os
import sys
import tempfile
import time

root, count, how, size = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
content = b"x" * size


def replace():
    with tempfile.NamedTemporaryFile(dir=root, delete=False) as file:
        file.write(content)
        if how != "visible":
            file.flush()
            os.fsync(file.fileno())
    os.replace(file.name, os.path.join(root, "metadata.json"))
    if how == "durable":
        directory = os.open(root, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)


if count > 1:
    replace()
start = time.perf_counter()
for _ in range(count):
    replace()
print((time.perf_counter() - start) / count)
