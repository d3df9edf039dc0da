"""The programs in README.md, or another text, do what it says: each block of code is built, run, and compared with the text block behind it."""
import os
import re
import subprocess
import sys
import tempfile

readme, include, library, cc, cxx = sys.argv[1:6]
text = open(readme, encoding="utf-8").read()
blocks = re.findall(r"```(c|cpp|python)\n(.*?)```\n```text\n(.*?)```", text, re.S)
if not blocks or len(blocks) != text.count("\n```c") + text.count("\n```python"):
    sys.exit(f"{readme}: expected programs, each with its output, found {[b[0] for b in blocks]}")

folder = os.path.dirname(library)
package = os.path.join(os.path.dirname(os.path.abspath(include)), "bindings", "python")
failures = 0
with tempfile.TemporaryDirectory() as work:
    for language, code, expected in blocks:
        source = os.path.join(work, "program." + {"c": "c", "cpp": "cpp", "python": "py"}[language])
        with open(source, "w", encoding="utf-8") as f:
            f.write(code)
        command = [sys.executable, source]
        if language != "python":
            command = [os.path.join(work, "program")]
            flags = ["-std=c99", "-pedantic-errors"] if language == "c" else ["-std=c++20"]
            subprocess.run([cc if language == "c" else cxx, *flags, "-Wall", "-Wextra", "-Werror", "-I", include, source, library,
                            "-Wl,-rpath," + folder, "-o", command[0]], check=True)
        run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "GRADUS_LIBRARY": library, "PYTHONPATH": package,
                                                                         "PYTHONDONTWRITEBYTECODE": "1"})
        if run.returncode != 0 or run.stdout != expected:
            failures += 1
            print(f"{readme} {language}: exit {run.returncode}, printed\n{run.stdout}{run.stderr}expected\n{expected}")
print(f"{os.path.basename(readme)}: {len(blocks)} programs, {failures} failures")
sys.exit(failures)
