"""Exceptions that both sides can import."""


class Overdrawn(Exception):
    """Has an argument of its own and one in its message."""

    def __init__(self, account: str, amount: int) -> None:
        super().__init__(account, amount)
        self.amount = amount
