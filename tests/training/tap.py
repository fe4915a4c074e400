"""Runs tests one after the other and writes TAP."""
import sys
import traceback


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def run(tests):
    """Exit status 1 if one failed."""
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for i, test in enumerate(tests, 1):
        name = (test.__doc__ or test.__name__.replace("_", " ")).strip().splitlines()[0]
        try:
            test()
            print(f"ok {i} - {name}", flush=True)
        except BaseException:
            failed += 1
            print(f"not ok {i} - {name}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}", flush=True)
    return 1 if failed else 0


def skip_without(modules):
    missing = []
    for module in modules:
        try:
            __import__(module)
        except ImportError:
            missing.append(module)
    if missing:
        print(f"1..0 # SKIP Python lacks {', '.join(missing)} (scripts/packages, group training)")
        sys.exit(0)
