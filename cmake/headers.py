"""Reads the comments and declarations of the C headers, for the manual pages."""
import re

SKIPPED = re.compile(r'^\s*#|^\s*extern "C" \{|^\}$')


def blocks(text):
    """The header as a list of (comment, [declaration, ...]): a comment at the left margin and what stands below it, up to an empty line."""
    result, fresh, lines = [], True, iter(text.split("\n"))
    for line in lines:
        if line.startswith("/*"):
            comment = line
            while "*/" not in comment:
                comment += "\n" + next(lines)
            result.append((plain(comment), []))
            fresh = False
        elif SKIPPED.match(line):
            while line.endswith("\\"):
                line = next(lines)
        elif line.strip():
            declaration = line
            while not complete(declaration):
                declaration += "\n" + next(lines)
            if fresh:
                result.append(("", []))
            result[-1][1].append(declaration)
            fresh = False
        else:
            fresh = True
    return result


def complete(declaration):
    code = re.sub(r"/\*.*?\*/", "", declaration, flags=re.S)
    return "/*" not in code and code.count("{") == code.count("}") and code.rstrip().endswith(";")


def plain(comment):
    """The text of a comment, without its frame."""
    lines = [re.sub(r"^ \* ?", "", line).rstrip() for line in comment.partition("*/")[0].strip()[2:].split("\n")]
    return "\n".join(lines).strip("\n").strip()


def function_name(declaration):
    """The function that a declaration declares, or None."""
    match = re.match(r"GRADUS_API\b[^(]*?\b(gradus_\w+)\(", declaration)
    return match and match[1]
