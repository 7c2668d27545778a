"""`python -m mms_gateway` is the command `mms-gateway`; both begin here.

mms-gateway               the current folder is not on sys.path
python -m mms_gateway     Python puts it first: it is taken off before anything else is imported
"""

import os  # these two Python has loaded itself
import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    home = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    if os.path.realpath(sys.path[0]) != home:
        del sys.path[0]

from mms_gateway.shadowed_packages import shadowed


def main() -> int:
    """Run the command line; the exit code."""
    hidden = shadowed()
    if hidden is not None:
        sys.stderr.write(f"mms-gateway: {hidden}\n")
        return 2
    from mms_gateway.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
