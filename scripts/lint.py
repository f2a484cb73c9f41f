#!/usr/bin/env python3
"""Checks of Liger's own rules, which no compiler knows.

    scripts/lint.py [ROOT]      exit code 1 and one line per finding, "file:line: what and what to do"

The rules:
  edge      A memory-order edge, "[name.edge]" in a comment of src/, is named at two places at least: at both its ends.
  pod       Only src/cxl, and src/emulation below it, flush, fence, use processor intrinsics, or map memory. A line elsewhere
            that must do so with memory of its own process says so, there or on the line above:
            /* lint: private memory */
  layer     Includes go down the layers only: server to all, txn to recovery, both to engine and cxl, engine to cxl, cxl to
            emulation, which nobody else includes; and never from src/ to sim/, tests/, benchmarks/ or tools/.
  mark      No marks of unfinished work.
  size      A file of src/ has at most 800 lines, a function 70; unless a comment that begins with its reason, "long:",
            stands right above the function.
  layout    Every struct of a file layout*.h has a static_assert on its size in that file.
"""

import pathlib
import re
import sys

MAX_FILE_LINES = 800
MAX_FUNCTION_LINES = 70

# Which folders of src/ the files of one may include. A new folder must be given its place here.
LAYERS = {
    "emulation": {"emulation"},
    "cxl": {"cxl", "emulation"},
    "engine": {"engine", "cxl"},
    "recovery": {"recovery", "engine", "cxl"},
    "txn": {"txn", "recovery", "engine", "cxl"},
    "server": {"server", "txn", "recovery", "engine", "cxl"},
}
OUTSIDE = {"sim", "tests", "benchmarks", "tools"}

EDGE = re.compile(r"\[([a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+)\]")
POD = re.compile(r"clwb|clflush(?:opt)?|_mm_|[ml]fence|sfence|\bmmap\b|\bmremap\b|\bshm_open\b")
PRIVATE = re.compile(r"/\*\s*lint: private memory\s*\*/")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
# Written apart, so that this file has none of them.
MARK = re.compile(r"\b(?:FIX" + "ME|TO" + "DO|XX" + "X|HA" + r"CK)\b")
STRUCT = re.compile(r"^struct (\w+) \{")
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|' + r"'(?:\\.|[^'\\\n])*'", re.S)


class Source:
    """A C file, as text, as code without comments, and as comments without code; all three with the same lines."""

    def __init__(self, root, path):
        self.name = str(path.relative_to(root))
        self.parts = path.relative_to(root).parts
        text = path.read_text(encoding="utf-8", errors="replace")
        code, comments, end = [], [], 0
        for match in TOKEN.finditer(text):
            between, token = text[end : match.start()], match.group()
            blank = re.sub(r"[^\n]", " ", token)
            is_comment = token.startswith(("/*", "//"))
            code.append(between + (blank if is_comment else token))
            comments.append(re.sub(r"[^\n]", " ", between) + (token if is_comment else blank))
            end = match.end()
        code.append(text[end:])
        comments.append(re.sub(r"[^\n]", " ", text[end:]))
        self.lines = text.splitlines()
        self.code = "".join(code).splitlines()
        self.comments = "".join(comments).splitlines()


def check_edges(sources):
    places = {}
    for source in sources:
        for number, line in enumerate(source.comments, 1):
            for edge in EDGE.findall(line):
                places.setdefault(edge, set()).add((source.name, number))
    for edge, found in sorted(places.items()):
        if len(found) < 2:
            name, number = next(iter(found))
            yield name, number, f"edge [{edge}] is named here only: name it at the other end too"


def check_pod_access(source):
    if source.parts[1] in ("cxl", "emulation"):
        return
    for number, line in enumerate(source.code, 1):
        match = POD.search(line)
        if match and not PRIVATE.search("\n".join(source.lines[max(number - 2, 0) : number])):
            yield source.name, number, f"{match.group()} outside src/cxl: call a function of src/cxl instead"


def check_layers(source):
    folder = source.parts[1] if len(source.parts) > 2 else None
    if folder is not None and folder not in LAYERS:
        yield source.name, 1, f"src/{folder} has no place among the layers: give it one in scripts/lint.py"
        return
    for number, line in enumerate(source.code, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        parts = [part for part in match.group(1).split("/") if part not in ("..", ".", "src")]
        if any(part in OUTSIDE for part in parts[:-1]):
            yield source.name, number, f'"{match.group(1)}" lies outside src/, which knows nothing of it'
        elif folder and len(parts) > 1 and parts[0] not in LAYERS[folder]:
            allowed = ", ".join(sorted(LAYERS[folder]))
            yield source.name, number, f'"{match.group(1)}": src/{folder} may include only {allowed}'


def functions(source):
    """First line, last line (both counted from 0) of each function: a "{" and a "}" in the first column."""
    start = None
    for index, line in enumerate(source.code):
        if line.rstrip() == "{":
            start = index
            while start > 0 and source.code[start - 1].strip() and not re.match(r"[#}]", source.code[start - 1]):
                if source.code[start - 1].rstrip().endswith(";"):
                    break
                start -= 1
        elif line.startswith("}") and start is not None:
            yield start, index
            start = None


def comment_above(source, index):
    text = []
    while index > 0 and source.comments[index - 1].strip() and not source.code[index - 1].strip():
        index -= 1
        text.append(source.comments[index])
    return "\n".join(reversed(text))


def check_sizes(source):
    if len(source.lines) > MAX_FILE_LINES:
        yield source.name, len(source.lines), f"{len(source.lines)} lines: split it, {MAX_FILE_LINES} is the limit"
    for first, last in functions(source):
        length = last - first + 1
        if length > MAX_FUNCTION_LINES and not re.search(r"\blong:", comment_above(source, first)):
            yield source.name, first + 1, (
                f"a function of {length} lines: split it, or say above it why not, after \"long:\""
                f" ({MAX_FUNCTION_LINES} is the limit)"
            )


def check_layout(source):
    if not re.fullmatch(r"layout.*\.h", source.parts[-1]):
        return
    code = "\n".join(source.code)
    for number, line in enumerate(source.code, 1):
        match = STRUCT.match(line)
        if match and not re.search(r"static_assert\([^;]*sizeof\(struct " + match.group(1) + r"\)", code):
            yield source.name, number, f"struct {match.group(1)} has no static_assert on its size"


def check_marks(root, path):
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        match = MARK.search(line)
        if match:
            yield str(path.relative_to(root)), number, f"{match.group()}: finish it, or leave it to an issue"


def written_files(root):
    """Everything that people wrote, in the folders of the project."""
    yield from (path for path in [root / "Makefile", root / "README.md"] if path.is_file())
    for folder in ("include", "src", "sim", "benchmarks", "tools", "tests", "scripts", "docs"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".c", ".h", ".cc", ".py", ".sh", ".md", ".in", ".map") and path.is_file():
                yield path


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    sources = [Source(root, path) for path in sorted((root / "src").rglob("*.[ch]"))]
    if not sources:
        sys.exit(f"lint: no C file under {root / 'src'}")
    findings = list(check_edges(sources))
    for source in sources:
        for check in (check_pod_access, check_layers, check_sizes, check_layout):
            findings += check(source)
    for path in written_files(root):
        findings += check_marks(root, path)
    for name, number, text in sorted(findings):
        print(f"{name}:{number}: {text}")
    print(f"lint: {len(sources)} files of src/, {len(findings)} findings")
    sys.exit(1 if findings else 0)


main()
