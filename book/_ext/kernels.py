"""How notebooks are run, for the stored outputs and for the pages alike."""

import nbclient
import zmq
from traitlets.config import Config


def execute(notebook, **options):
    """Run all cells in a new kernel, in place; the options are those of nbclient.

    How a kernel cuts its output into pieces is a matter of timing, so they are joined.
    Kernels that cannot encrypt their messages warn of it, so they encrypt.
    """
    encryption = "auto" if zmq.has("curve") else "disabled"
    config = Config({"KernelManager": {"transport_encryption": encryption}})
    nbclient.execute(notebook, coalesce_streams=True, config=config, **options)
