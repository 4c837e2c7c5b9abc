"""The run queue of `dagster.yaml`: Dagster's own, which also warms the launcher up when the daemon starts."""

from __future__ import annotations

import dagster as dg

from delivery.orchestration.launcher.run_launcher import WarmRunLauncher


class WarmQueue(dg.QueuedRunCoordinator):
    """Dagster's queue. Without it the first run after a start would wait for the imports."""

    @property
    def dequeue_interval_seconds(self) -> int:
        """The daemon, and no other process, reads this, once, when it makes its queue. The launcher has no
        such moment of its own: Dagster asks for it when the first run is due."""
        launcher = self._instance.run_launcher
        if isinstance(launcher, WarmRunLauncher):
            launcher.prepare()
        return super().dequeue_interval_seconds
