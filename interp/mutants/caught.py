"""Which spec caught each bug the last time: it is asked first, and the others if it says nothing.

The table lies beside the bugs. It saves time and decides nothing: a bug counts as caught only when
a spec fails now.
"""

import json
from pathlib import Path
from typing import Final

from interp.errors import DataError

TABLE: Final = Path(__file__).with_name("caught.json")


def load_caught(path: Path = TABLE) -> dict[str, str]:
    """The spec for each bug, by its name; empty where nothing was noted yet.

    Raises:
        DataError: the file is no such table.
    """
    if not path.is_file():
        return {}
    try:
        return {str(name): str(spec) for name, spec in json.loads(path.read_text("utf-8")).items()}
    except (ValueError, AttributeError) as error:
        raise DataError(
            "not a table of what caught each bug",
            expected="a JSON object of names and specs",
            received=str(error),
            where=str(path),
            hint="delete it, or write it anew: make caught",
        ) from error
