"""Parses PowerShell scripts, and refuses what Windows PowerShell 5.1 does not know.

Usage: check_powershell.py FILE...; prints what is wrong, a line each, and ends with 1 then.
"""

import sys

import tree_sitter_powershell
from tree_sitter import Language, Parser

# Newer than 5.1: a ? b : c, a ?? b, a ?. b, a && b, a || b.
NEWER = {"?", "??", "??=", "?.", "&&", "||"}


def wrong(path):
    """What is wrong with a script."""
    source = open(path, "rb").read()
    parser = Parser(Language(tree_sitter_powershell.language()))
    open_nodes = [parser.parse(source).root_node]
    while open_nodes:
        node = open_nodes.pop()
        line = node.start_point[0] + 1
        if node.is_error or node.is_missing:
            yield f"{path}:{line}: no PowerShell: {source[node.start_byte:node.end_byte][:80]!r}"
        elif node.type in NEWER:
            yield f"{path}:{line}: {node.type} is not known to Windows PowerShell 5.1"
        open_nodes.extend(node.children)


found = [line for path in sys.argv[1:] for line in wrong(path)]
print(*found, sep="\n")
sys.exit(bool(found))
