"""What all tests share: under ``CI=true`` every test must have run and been judged."""

import importlib.util
import os
import signal

import pytest

NOT_RUN = ("skipped", "xfailed", "xpassed")


def pytest_configure():
    """Let signals do here, and in what is started here, what they do at a terminal.

    Whoever started the tests may have ignored some: nohup does, and a shell in the background.
    """
    usual = {"SIGINT": signal.default_int_handler, "SIGHUP": signal.SIG_DFL}
    for name, handler in usual.items():
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


def not_run(config):
    """Return the number of tests that were skipped or expected to fail."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return sum(len(reporter.stats.get(kind, ())) for kind in NOT_RUN)


def pytest_collection_modifyitems(items):
    """Without PyTorch, skip what compares with it."""
    if importlib.util.find_spec("torch") is None:
        for item in items:
            if item.get_closest_marker("torch"):
                item.add_marker(pytest.mark.skip("this needs PyTorch: `make torch` installs it"))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    if os.environ.get("CI") == "true" and exitstatus == 0 and not_run(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    if os.environ.get("CI") == "true" and (count := not_run(config)):
        terminalreporter.write_line(f"CI=true allows no skipped test, and {count} did not run")
