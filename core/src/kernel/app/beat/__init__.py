"""Beat: sends tasks when their schedules say so (features.md 2.3). The facade is ``kernel.beat``."""
