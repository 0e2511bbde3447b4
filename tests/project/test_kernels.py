"""Kernels that start together do not take each other's addresses."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import kernels
import nbformat
import pytest
from jupyter_client.provisioning import local_provisioner

ROOT = Path(kernels.__file__).parents[2]
SOURCE = """
from ipykernel.kernelapp import IPKernelApp
print(IPKernelApp.instance().transport)
"""


@pytest.fixture
def neighbour(monkeypatch):
    """Take the ports that a manager found free before its kernel can, as another kernel may."""
    taken = []
    launch = local_provisioner.LocalProvisioner.launch_kernel

    async def late(self, command, **options):
        info = self.connection_info
        if info["transport"] == "tcp":
            ports = [port for name, port in info.items() if name.endswith("_port")]
            taken.extend(socket.create_server(("127.0.0.1", port)) for port in ports)
        return await launch(self, command, **options)

    monkeypatch.setattr(local_provisioner.LocalProvisioner, "launch_kernel", late)
    yield
    for one in taken:
        one.close()


def test_a_kernel_starts_whatever_ports_are_taken_meanwhile(neighbour, tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(6 * 7)")])
    kernels.execute(notebook, cwd=str(tmp_path), kernel_name="python3", timeout=60)
    assert notebook.cells[0].outputs[0].text == "42\n"


def test_the_tests_of_notebooks_start_kernels_in_the_same_way(tmp_path):
    shutil.copy(ROOT / "book" / "conftest.py", tmp_path)
    output = nbformat.v4.new_output("stream", text="ipc\n")
    cell = nbformat.v4.new_code_cell(SOURCE, outputs=[output], execution_count=1)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, tmp_path / "notebook.ipynb")
    command = [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "--nbval"]
    run = subprocess.run(
        [*command, "--nbval-current-env", "-p", "no:cacheprovider", tmp_path],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout
    assert "1 passed" in run.stdout


def test_the_addresses_of_a_kernel_fit_where_temporary_files_have_a_long_path(
    tmp_path, monkeypatch
):
    far = tmp_path / ("long" * 25)
    far.mkdir()
    monkeypatch.setattr(kernels.tempfile, "tempdir", str(far))
    with kernels.settings() as config:
        address = Path(config.KernelManager["ip"])
        assert address.parent.is_dir()
        assert len(f"{address}-5") < kernels.zmq.IPC_PATH_MAX_LEN
    assert not address.parent.exists()
