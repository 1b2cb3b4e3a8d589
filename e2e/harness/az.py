"""Runs az once for each line on standard input, unchanged and each time in a process of its own, without paying for its imports each time.

A line is {"id": N, "args": [...]}; N.out, N.err and then N.code appear in the folder given as the argument. Processes are forked from this one, which has
imported what earlier ones did; each runs the module azure.cli as the launcher does.
"""
import importlib
import json
import os
import runpy
import sys


def run(folder, number, args):
    base = os.path.join(folder, str(number))
    before = set(sys.modules)
    for name, target in ((base + ".out", 1), (base + ".err", 2)):
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, target)
        os.close(handle)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    sys.argv = ["az", *args]
    code = 1
    try:
        runpy.run_module("azure.cli", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        import traceback
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    new = [m for m in sys.modules if m not in before and not m.startswith("__")]
    with open(base + ".mods.new", "w") as f:
        json.dump(new, f)
    os.rename(base + ".mods.new", base + ".mods")
    return code


def learn(folder, known):
    for name in os.listdir(folder):
        if not name.endswith(".mods") or name in known:
            continue
        known.add(name)
        with open(os.path.join(folder, name)) as f:
            for module in json.load(f):
                try:
                    importlib.import_module(module)
                except BaseException:  # some can only be imported by others
                    pass


def main():
    folder, known = sys.argv[1], set()
    for name in ("azure.cli.core", "azure.cli.core.extension", "requests", "msal"):
        importlib.import_module(name)
    while line := sys.stdin.buffer.readline():
        ask = json.loads(line)
        learn(folder, known)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        if os.fork():
            continue
        child = os.fork()
        if child:
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            base = os.path.join(folder, str(ask["id"]))
            with open(base + ".code.new", "w") as f:
                f.write(str(code))
            os.rename(base + ".code.new", base + ".code")
            os._exit(0)
        os._exit(run(folder, ask["id"], ask["args"]))


main()
