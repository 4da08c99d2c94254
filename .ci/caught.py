"""Note which spec caught each planted bug, from what `interp mutants --json` printed."""

import json
import sys
from pathlib import Path

from interp.mutants.caught import TABLE, load_caught

rows = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
known = load_caught() | {row["name"]: row["spec"] for row in rows if row["spec"]}
TABLE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
