"""`python -m mms_gateway` is the command `mms-gateway`."""

import sys

from mms_gateway.cli import main

if __name__ == "__main__":
    sys.exit(main())
