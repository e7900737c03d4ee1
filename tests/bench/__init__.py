"""How fast this is, against what people use today: a command, not a test.

From the top of a clone, with the extra ``bench`` installed (``pip install -e '.[bench]'``)::

    python -m tests.bench --help
"""
