"""The error for a name that is no setting."""

from kernel.app.celery_names import CELERY_ONLY, name_of_today
from kernel.app.setting_table import SETTINGS
from kernel.errors.near import did_you_mean, near_names
from kernel.errors.setup import UnknownSetting


def unknown_setting(name: str, origin: str, *, prefix: str = "") -> UnknownSetting:
    """Why ``name`` is refused: unknown, with near names; not acted on here; or an upper-case name of old.

    ``prefix`` is what stands before the upper-case names of the source; the message then names them likewise.
    """
    shown = _spelled(name, prefix)
    today = name if name in CELERY_ONLY else name_of_today(shown, SETTINGS)
    if today is not None and today in CELERY_ONLY:
        old = "" if today == name else f", today {today},"
        return UnknownSetting(
            f"{shown} ({origin}){old} is a setting of Celery that this version does not act on.",
            cure=CELERY_ONLY[today],
        )
    if today is not None:
        old = "not the spelling of a setting" if today == name.lower() else "an old name"
        return UnknownSetting(f"{shown} ({origin}) is {old}.", cure=f"Write {_spelled(today, prefix)} instead.")
    # The nearest names belong to the message, not to the cure: a plain traceback shows no more than the message.
    near = did_you_mean(shown, [_spelled(each, prefix) for each in near_names(name, SETTINGS)])
    return UnknownSetting(
        f"There is no setting {shown} ({origin}). {near}".rstrip(),
        cure="" if near else "'kernel config show --all' lists every setting.",
    )


def _spelled(name: str, prefix: str) -> str:
    return f"{prefix}{name.upper()}" if prefix else name
