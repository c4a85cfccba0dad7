"""``python -m clairemap.attempts``: see `clairemap.attempts.runner`."""

from clairemap.attempts.runner import main

main()
