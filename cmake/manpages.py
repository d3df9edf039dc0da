"""Writes manual pages of section 3 from the C headers: manpages.py INCLUDE_DIR OUT_DIR VERSION

gradus(3) is the overview, gradus_NAME(3) what stands in gradus/NAME.h, and each function has a link to the page that describes it.
"""
import pathlib
import re
import sys

from headers import blocks, function_name

LEFT_OUT = {"gradus_cdef"}                     # the same declarations once more


def escaped(line):
    line = line.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + line if line[:1] in (".", "'") else line


def verbatim(lines, font=""):
    body = "\n".join(escaped(line) for line in lines)
    return ".PP\n.nf\n" + (f".ft {font}\n{body}\n.ft R" if font else body) + "\n.fi\n"


def prose(text):
    """Paragraphs are filled; lists and tables, whose lines are indented or aligned, stay as they are."""
    out = ""
    for paragraph in re.split(r"\n\s*\n", text):
        lines = paragraph.split("\n")
        aligned = any(re.search(r"\S {2,}\S", line) or line.startswith(" ") or re.match(r"\d ", line) for line in lines)
        out += verbatim(lines) if aligned else ".PP\n" + "\n".join(escaped(line) for line in lines) + "\n"
    return out


def summary(comment):
    """'gradus/graph.h - the graph as DOT and JSON. More.' gives 'the graph as DOT and JSON' and 'More.'"""
    text = re.sub(r"^\S+ - ", "", comment)
    head, _, rest = text.partition("\n")
    first, _, after = head.partition(". ")
    after = after.removeprefix("Link with -lgradus.")
    return first.rstrip(".:"), (after + "\n" if after else "") + rest


def shown(declaration):
    """A declaration without what only a compiler reads."""
    text = re.sub(r"\s*/\* since:\d+ \*/$", "", declaration)
    if not text.startswith("GRADUS_API"):
        return text
    mark = re.match(r"GRADUS_API +", text)[0]
    return text[len(mark):].replace("\n" + " " * len(mark), "\n")


def page(name, header, blocks_of_header, version, pages):
    title, rest = summary(blocks_of_header[0][0])
    text = f'.TH {name.upper()} 3 "" "gradus {version}" "gradus"\n.SH NAME\n{name} \\- {escaped(title)}\n'
    text += f".SH SYNOPSIS\n.nf\n.B #include <gradus/{header}>\n.PP\nLink with \\fI\\-lgradus\\fR.\n.fi\n.SH DESCRIPTION\n" + prose(rest.strip("\n"))
    if blocks_of_header[0][1]:
        text += verbatim("\n".join(blocks_of_header[0][1]).split("\n"), "B")
    for comment, declarations in blocks_of_header[1:]:
        names = [function_name(d) for d in declarations if function_name(d)]
        if names:
            text += ".SS " + escaped(", ".join(f"{n}()" for n in names)) + "\n"
        elif declarations:
            found = re.search(r"\b(gradus_\w+)(?=;?$| \{)", declarations[0].split("\n")[0])
            text += f".SS {escaped(found[1])}\n" if found else ""
        if declarations:
            text += verbatim("\n".join(shown(d) for d in declarations).split("\n"), "B")
        text += prose(re.sub(r"\n? *since:\d+$", "", comment)) if comment else ""
    return text + ".SH SEE ALSO\n" + " ,\n".join(f".BR {other} (3)" for other in pages if other != name) + "\n"


def main():
    include, out, version = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    headers = {path.stem: blocks(path.read_text(encoding="utf-8")) for path in sorted((include / "gradus").glob("*.h"))
               if path.stem not in LEFT_OUT}
    pages = {stem: stem if stem == "gradus" else f"gradus_{stem}" for stem in headers}
    out.mkdir(parents=True, exist_ok=True)
    for stem, found in headers.items():
        name = pages[stem]
        (out / f"{name}.3").write_text(page(name, f"{stem}.h", found, version, pages.values()), encoding="utf-8")
        for function in sorted({function_name(d) for _, declarations in found for d in declarations} - {None, *pages.values()}):
            (out / f"{function}.3").write_text(f".so man3/{name}.3\n", encoding="utf-8")


main()
