"""A Jupyter kernel provisioner that starts kernels in the sandbox, for nbgrader's autograder and other clients.

Jupyter finds it by its entry point, `lmc-sandbox`; `classroom.sandbox_kernelspec` installs a kernel that uses it. Where
no sandbox works, it starts no kernel.
"""

from __future__ import annotations

import asyncio
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Int, Unicode

from lmc_utils.classroom import kernel_relay, sandbox
from lmc_utils.classroom.workspace import Limits, kernel_environment, make_workspace, temporary_folder

_DEFAULTS = Limits()
_find_program = cache(sandbox.find_program)  # which takes a second; nbgrader starts a kernel for each submission


class SandboxProvisioner(LocalProvisioner):
    """Starts each kernel in a sandbox of its own, in a workspace that is deleted with it."""

    memory = Int(_DEFAULTS.memory, min=1, help="MiB of memory of all processes").tag(config=True)
    disk = Int(_DEFAULTS.disk, min=1, help="MiB of each in-memory folder").tag(config=True)
    cores = Int(_DEFAULTS.cores, min=1, help="threads of numerical libraries").tag(config=True)
    runs = Unicode(help="folder of trained networks, visible read-only").tag(config=True)

    _folder: Path | None = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Write the connection file, make a workspace, and replace the command and environment of the kernel.

        Raises:
            RuntimeError: no sandbox works here.
        """
        bwrap = await asyncio.to_thread(_find_program)
        if bwrap is None:
            raise RuntimeError(f"no sandbox: {sandbox.install_advice()}")
        launch: dict[str, Any] = await super().pre_launch(**kwargs)
        self._folder = temporary_folder()
        workspace = make_workspace(self._folder, Path(self.runs) if self.runs else None, copy_runs=False)
        limits = Limits(memory=self.memory, disk=self.disk, cores=self.cores)
        manager: Any = self.parent
        return launch | {
            "cmd": kernel_relay.command(bwrap, workspace, Path(manager.connection_file).resolve(), limits),
            "env": kernel_environment(workspace, limits.cores),
            "cwd": str(workspace.folder),
        }

    async def cleanup(self, restart: bool = False) -> None:
        """Delete the workspace; a restarted kernel gets a new one."""
        await super().cleanup(restart)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
