"""Snakemake's command line, with a status check every second.

The SLURM executor waits 10 s longer after each check that finds no finished job.
"""

import runpy

from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

RemoteExecutor.next_seconds_between_status_checks = property(lambda _: 1, lambda _, value: None)  # noqa: ARG005

if __name__ == "__main__":
    runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
