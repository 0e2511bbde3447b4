"""The tests of the notebooks start kernels as the build of the book does."""

import contextlib

import kernels
import nbval.kernel


def pytest_configure(config):
    """Give each of nbval's kernels its settings; nbval has none of its own."""
    managers = contextlib.ExitStack()
    config.add_cleanup(managers.close)
    manager = nbval.kernel.KernelManager

    def start(**options):
        return manager(config=managers.enter_context(kernels.settings()), **options)

    nbval.kernel.KernelManager = start
