"""What later API levels add is hidden from programs of earlier ones, and what is deprecated says so: levels.py ROOT CC

The checks are tried first on headers of a level 2 that is made up.
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

LATER = """
#if GRADUS_TARGET_LEVEL >= 2
/* The younger of two: it needs a library of level 2. Errors: VALUE. */
GRADUS_API gradus_status gradus_younger(gradus_context *ctx, int32_t n);                      /* since:2 */
#endif
/* The older of two: gradus_younger is better. Errors: VALUE. deprecated:2 */
GRADUS_API GRADUS_DEPRECATED gradus_status gradus_older(gradus_context *ctx, int32_t n);       /* since:1 */
"""


def faults(folder):
    for header in sorted(folder.glob("gradus/*.h")):
        if header.name == "gradus_cdef.h":
            continue
        level, depth, text = [], 0, ""
        for line in header.read_text(encoding="utf-8").splitlines():
            if opened := re.match(r"\s*#\s*if\w*\b\s*(.*)", line):
                found = re.fullmatch(r"GRADUS_TARGET_LEVEL >= (\d+)", opened.group(1).strip())
                level.append(int(found.group(1)) if found else 0)
            elif re.match(r"\s*#\s*endif", line):
                level.pop()
            elif not line.lstrip().startswith("#"):
                text = "" if not line.strip() else text + line
                if not (since := re.search(r"since:(\d+)", line)) or "GRADUS_API " not in text:
                    continue
                if max([*level, 1]) != int(since.group(1)):
                    yield f"{header.name}: {line.strip()[:80]}: since:{since.group(1)} under #if GRADUS_TARGET_LEVEL >= {max([*level, 1])}"
                if ("GRADUS_DEPRECATED " in text) != ("deprecated:" in text):
                    yield f"{header.name}: {line.strip()[:80]}: the mark and the comment on deprecation differ"
                text = ""


def planted(root, cc, out):
    """A tree of level 2 that passes; then the faults that have to be found in it."""
    shutil.copytree(root / "include", out / "include")
    base, context = out / "include/gradus/base.h", out / "include/gradus/context.h"
    base.write_text(base.read_text().replace("#define GRADUS_HEADER_LEVEL 1", "#define GRADUS_HEADER_LEVEL 2"))
    whole = context.read_text()
    before, behind = whole[:whole.rindex("#ifdef __cplusplus")], whole[whole.rindex("#ifdef __cplusplus"):]
    context.write_text(before + LATER + behind)
    assert not list(faults(out / "include")), list(faults(out / "include"))

    sys.path.insert(0, str(root / "capi"))
    import api
    functions = {f["name"]: f for f in api.Api(out).functions}
    assert functions["gradus_younger"]["level"] == 2 and "deprecated" not in functions["gradus_younger"]
    assert functions["gradus_older"]["level"] == 1 and functions["gradus_older"]["deprecated"] == 2

    def compiles(call, *options):
        source = f"#include <gradus/gradus.h>\nint main(void) {{ return {call}(0, 1); }}\n"
        return subprocess.run([cc, "-std=c99", "-Werror", "-fsyntax-only", f"-I{out}/include", *options, "-xc", "-"], input=source, text=True,
                              capture_output=True).returncode == 0
    assert compiles("gradus_younger") and compiles("gradus_younger", "-DGRADUS_TARGET_LEVEL=2")
    assert not compiles("gradus_younger", "-DGRADUS_TARGET_LEVEL=1")
    assert compiles("gradus_older") and not compiles("gradus_older", "-DGRADUS_WARN_DEPRECATED")
    assert not compiles("gradus_older", "-DGRADUS_TARGET_LEVEL=3") and not compiles("gradus_older", "-DGRADUS_TARGET_LEVEL=0")

    for change in (LATER.replace("#if GRADUS_TARGET_LEVEL >= 2\n", "#if 1\n"), LATER.replace(">= 2", ">= 3"), LATER.replace(" deprecated:2", ""),
                   LATER.replace("GRADUS_DEPRECATED ", "")):
        context.write_text(before + change + behind)
        assert len(list(faults(out / "include"))) == 1, change


def main():
    root, cc = pathlib.Path(sys.argv[1]), sys.argv[2]
    with tempfile.TemporaryDirectory() as out:
        planted(root, cc, pathlib.Path(out))
    found = list(faults(root / "include"))
    marked = {f["name"] for f in json.loads((root / "gradus_api.json").read_text(encoding="utf-8"))["functions"] if "deprecated" in f}
    print("\n".join(found) or f"levels: every declaration is hidden below its level; {len(marked)} deprecated")
    sys.exit(1 if found else 0)


main()
