"""Replaces a file again and again with the package for Python, and prints the seconds of one time.

python3 package.py ROOT COUNT durable|data|visible BYTES
"""

import sys
import time

from onionskin import open_store

root, count, how, size = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
content = b"x" * size
durability = "full" if how == "durable" else how

with open_store(root) as store:
    store.replace("metadata.json", content, durability=durability)
    start = time.perf_counter()
    for _ in range(count):
        store.replace("metadata.json", content, durability=durability)
    print((time.perf_counter() - start) / count)
