"""Becomes AWS's runtime client, without the right to write where it may only read.

Run as a script, before anything else: the superuser writes to read-only folders unless it gives up
CAP_DAC_OVERRIDE, which only a new program image loses. https://man7.org/linux/man-pages/man7/capabilities.7.html
"""

import ctypes
import os
import sys

PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE = 1
CAP_FOWNER = 3

if sys.platform == "linux" and os.geteuid() == 0:
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (CAP_DAC_OVERRIDE, CAP_FOWNER):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-S", "-m", "awslambdaric", *sys.argv[1:]])  # noqa: S606  # no shell is meant
