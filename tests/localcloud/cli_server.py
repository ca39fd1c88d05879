"""The AWS CLI in one process that runs many commands: JSON lists of arguments in, results out, a line each.

A process of its own for every command takes a second to start, and the CLI brings its own botocore,
which must not become that of the tests.
"""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout

from awscli.clidriver import create_clidriver

driver = create_clidriver()
for line in sys.stdin:
    output, error = io.StringIO(), io.StringIO()
    with redirect_stdout(output), redirect_stderr(error):
        status = driver.main(json.loads(line))
    sys.stdout.write(json.dumps([status, output.getvalue(), error.getvalue()]) + "\n")
    sys.stdout.flush()
