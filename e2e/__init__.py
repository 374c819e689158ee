"""The product as people use it: built, installed with Helm, and run in a real cluster.

Pieces of the other tests serve here too, under the names that they have there: ``import servers``.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "tests"))
