"""How kernels are started, for the stored outputs, the pages and the tests alike."""

import contextlib
import os
import tempfile
from pathlib import Path

import nbclient
import zmq
from traitlets.config import Config


@contextlib.contextmanager
def settings():
    """Settings of a kernel manager, for one kernel, which must have ended with the block.

    The manager would choose free TCP ports and leave them for the kernel to take, and
    among kernels that start together another one may take them meanwhile. Files of its own
    in a new folder nobody else takes. On Windows, where no kernels start together, the ports
    stay. Kernels that cannot encrypt their messages warn of it, so they encrypt.
    """
    manager = {"transport_encryption": "auto" if zmq.has("curve") else "disabled"}
    if os.name == "nt":
        yield Config({"KernelManager": manager})
        return
    longest = zmq.IPC_PATH_MAX_LEN - len("/kernel-12345678/socket-5")
    parent = None if len(os.fsencode(tempfile.gettempdir())) < longest else "/tmp"
    with tempfile.TemporaryDirectory(prefix="kernel-", dir=parent) as folder:
        manager |= {"transport": "ipc", "ip": str(Path(folder, "socket"))}
        yield Config({"KernelManager": manager})


def execute(notebook, **options):
    """Run all cells in a new kernel, in place; the options are those of nbclient.

    How a kernel cuts its output into pieces is a matter of timing, so they are joined.
    """
    with settings() as config:
        nbclient.execute(notebook, coalesce_streams=True, config=config, **options)
