"""Write docs/cli.md, every verb with its options, from the command line itself.

    python tests/scripts/write_cli_docs.py [FILE]

`tests/test_cli_docs.py` fails where the page says something else than the command line. A program of its own, because cyclopts
puts how the running program was started (`python -m ...`) into the usage of verbs.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from cyclopts.docs import generate_markdown_docs

from imageless.cli import app

PAGE = Path(__file__).parents[2] / "docs/cli.md"
NOTE = "<!-- Written by tests/scripts/write_cli_docs.py from the command line; change that instead. -->\n\n"

told = generate_markdown_docs(app, generate_toc=False, exclude_commands=["--install-completion"])
page = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
page.write_text(NOTE + re.sub(r"\n +", " ", told).strip() + "\n", encoding="utf-8")  # an option stands on one line
print(page)
