"""Runs nx-27017 with one defect mended; started by the Python of the server's own environment, and imported by nobody.

nx-27017 0.8.1 stores binary data in a document that is inserted, and fails when such a document replaces another. Every
client library of MongoDB does that daily, so that a result which is binary could be tested in no other way.
"""

from typing import Any

from neosqlite.binary import Binary
from neosqlite.collection import json_helpers
from nx_27017.nx_27017 import main


class Encoder(json_helpers.NeoSQLiteJSONEncoder):  # type: ignore[misc] # it ships no types, and is in another environment
    """Encodes bytes wherever they are, as the insertion of a document does."""

    def default(self, obj: Any) -> Any:
        """What stands for a value that JSON does not have."""
        return Binary(obj).encode_for_storage() if type(obj) is bytes else super().default(obj)


if __name__ == "__main__":
    json_helpers.NeoSQLiteJSONEncoder = Encoder
    main()
