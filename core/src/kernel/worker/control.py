"""Commands of remote control for workers of one's own (features.md 2.5): put one of these before a function."""

from kernel.runtime.panel import COMMANDS as COMMANDS
from kernel.runtime.panel import Command as Command
from kernel.runtime.panel import control_command as control_command
from kernel.runtime.panel import inspect_command as inspect_command
from kernel.runtime.panel_state import PanelState as PanelState
