"""Rewrite what README.md quotes: the spec it shows and, given a file, the output of a run.

python .ci/readme.py [OUTPUT_OF_PYTEST]
"""

import re
import sys
from pathlib import Path

SPEC = re.compile(r"(`(specs/[\w/]+\.py)`[^\n]*\n+```python\n).*?(```)", re.DOTALL)
RUN = re.compile(r"(\$ pytest specs -k \"llama[^\n]*\n).*?(```)", re.DOTALL)


def quoted(page: str, root: Path, run: str | None) -> str:
    """The page with its quotations as they are now."""
    page = SPEC.sub(lambda found: found[1] + (root / found[2]).read_text() + found[3], page)
    if run is None:
        return page
    return RUN.sub(lambda found: found[1] + run.strip() + "\n" + found[2], page)


def main() -> None:
    """Rewrite the page in place."""
    root = Path(__file__).parents[1]
    page = root / "README.md"
    run = Path(sys.argv[1]).read_text() if sys.argv[1:] else None
    page.write_text(quoted(page.read_text(), root, run))


if __name__ == "__main__":
    main()
