#!/usr/bin/env python3
"""no_reader.py [--ignored] COMMAND...: runs it with a standard output whose reader has gone; with --ignored by a
parent that ignores SIGPIPE. Prints the status (-13: ended by SIGPIPE), then what it said on standard error."""
import os
import signal
import subprocess
import sys

command = sys.argv[1:]
ignored = command[0] == "--ignored"
if ignored:
    command = command[1:]
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
reader, writer = os.pipe()
os.close(reader)
done = subprocess.run(command, stdout=writer, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=100,
                      restore_signals=not ignored)
print(done.returncode)
sys.stdout.write(done.stderr.decode())
