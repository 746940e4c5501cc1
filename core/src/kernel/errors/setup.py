"""Errors of configuration and of plugins; the program that meets one ends with exit code 78 (EX_CONFIG)."""

from kernel.errors.base import KernelError


class ImproperlyConfigured(KernelError):
    """A setting, URL, application path or argument that cannot work."""

    code = "E106"


class UnknownSetting(ImproperlyConfigured, AttributeError):
    """A configuration key that does not exist; the message offers the nearest known names.

    Also an ``AttributeError``, so that ``hasattr(app.conf, name)`` and ``getattr`` with a default work.
    """


class SecurityError(KernelError):
    """Something unsafe was asked for, such as running as root with pickle accepted."""

    code = "SECURITY"


class PluginError(ImproperlyConfigured):
    """A plugin that cannot be used (contracts.md, "Trust and isolation").

    ========  ==============================================================
    E101      not installed
    E102      its import failed
    E103      a hook has a wrong signature, is unknown, is missing, or fails at start-up
    E104      built for another contract version
    E105      two distributions provide the same name or scheme
    E106      an option is invalid
    E107      configuration needs a capability the plugin does not have
    E108      the plugin called ``sys.exit()``
    ========  ==============================================================
    """

    def __init__(self, code: str, message: str, *, cure: str = "", plugin: str = "") -> None:
        super().__init__(f"{code}: {message}", cure=cure)
        self.code = code
        self.plugin = plugin
