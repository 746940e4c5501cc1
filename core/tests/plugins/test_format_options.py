"""``plugin_options``: serializers and compressors get theirs, checked, once for each application."""

import pytest

from kernel.app.settings import Settings
from kernel.errors import ImproperlyConfigured, PluginError
from kernel.runtime.boot import build_services

FORMAT = """
from kernel.contracts import Compressor, FormatContext, Serializer
from kernel.errors import ImproperlyConfigured


class Shout(Serializer):
    name = "shout"
    content_type = "application/x-shout"
    content_encoding = "utf-8"
    safe = True
    types = frozenset()
    canonical = True

    def __init__(self, context=None):
        self.context = context

    def configured(self, context):
        if context.options["end"] == "?":
            raise ImproperlyConfigured("shout: a question is no shout")
        if context.options["end"] == "bug":
            raise ValueError(context.options["token"])
        return Shout(context)

    def hides(self):
        return self.context is not None and self.context.options["end"] == "..."

    def dumps(self, obj):
        inner = self.context.serializers["json"]
        assert self.context.serializers["application/json"] is inner
        assert "shout" not in self.context.serializers  # it is no plain one
        return inner.dumps(obj).upper() + self.context.options["end"].encode()

    def loads(self, data, limits):
        return bytes(data)


class Press(Compressor):
    name = "press"
    aliases = ("squeeze",)
    encoding = "application/x-press"
    checksum = False
    levels = range(1, 2)
    default_level = 1
    seen = []

    def configured(self, context):
        self.seen.append((dict(context.options), context.needed))
        return self

    def compress(self, data, level=None):
        return b"p"

    def decompress(self, data, max_output):
        return b""
"""
OPTIONS = "options={'end': Option(str, '!', 'what it ends with'), 'token': Option(str, '', 'who', secret=True)}"
SHOUT = "contracts={'serializer': '1.1'}, " + OPTIONS
PRESS = "contracts={'compressor': '1.1'}, options={'pressure': Option(int, 3)}"


@pytest.fixture
def formats(zoo):
    zoo.plugin(
        "serializer.shout", "@hookimpl\ndef kernel_serializers(self): return [Shout()]", manifest=SHOUT, top=FORMAT
    )
    zoo.plugin(
        "compression.press", "@hookimpl\ndef kernel_compressors(self): return [Press()]", manifest=PRESS, top=FORMAT
    )


def codec(options=None, **settings):
    plugins = {"plugins": ("serializer.shout", "compression.press"), "broker_url": "memory://"}
    given = {**plugins, **settings, **({"plugin_options": options} if options is not None else {})}
    return build_services(Settings(given, use_files=False, environ={}).snapshot(), "test").codec


def test_defaults_and_given_options(formats):
    assert codec().encode("hey", "shout").body == b'"HEY"!'
    assert codec({"serializer.shout": {"end": "!!!"}}).encode("hey", "shout").body == b'"HEY"!!!'


def test_two_applications_do_not_share_theirs(formats):
    loud, quiet = codec({"serializer.shout": {"end": "!!!"}}), codec({"serializer.shout": {"end": "."}})
    assert (loud.encode(1, "shout").body, quiet.encode(1, "shout").body) == (b"1!!!", b"1.")


def test_compressors_too(formats):
    made = codec({"compression.press": {"pressure": 9}}).compressor("squeeze")
    assert type(made).seen[-1] == ({"pressure": 9}, False)
    codec(task_compression="squeeze")
    assert codec(task_compression="squeeze").compressor("press").seen[-1] == ({"pressure": 3}, True)


@pytest.mark.parametrize(
    ("setting", "needed"),
    [
        ({"accept_content": ["application/x-shout"]}, True),
        ({"task_serializer": "shout"}, True),
        ({"result_accept_content": ["shout"]}, True),
        ({}, False),
    ],
)
def test_it_is_told_whether_a_setting_names_it(formats, setting, needed):
    assert codec(**setting).serializer("shout").context.needed is needed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"serializer.shuot": {}}, "plugin_options.serializer.shuot: no plugin of that name"),
        ({"broker.memory": {}}, "plugin_options.broker.memory: no plugin of that name with a serializer"),
        (
            {"serializer.shout": {"ned": "."}},
            "plugin_options.serializer.shout.ned: plugin 'serializer.shout' has no such",
        ),
        ({"serializer.shout": {"end": 7}}, "plugin_options.serializer.shout.end: plugin 'serializer.shout' takes str"),
        ({"serializer.shout": "loud"}, "plugin_options.serializer.shout is of type str"),
        ({"serializer.json": {"indent": 2}}, "'serializer.json' has no such option"),
    ],
)
def test_what_cannot_be_an_option(formats, options, message):
    with pytest.raises(PluginError) as caught:
        codec(options)
    assert caught.value.code == "E106"
    assert message in str(caught.value)
    assert caught.value.cure


def test_a_plugin_refuses_and_a_plugin_fails_without_showing_a_secret(formats):
    with pytest.raises(ImproperlyConfigured, match="a question is no shout"):
        codec({"serializer.shout": {"end": "?"}})
    with pytest.raises(PluginError, match="failed to take its options: ValueError") as caught:
        codec({"serializer.shout": {"end": "bug", "token": "s3cret"}})
    assert "s3cret" not in caught.value.one_line()


def test_secrets_of_options_are_not_shown():
    shown = Settings({"plugin_options": {"serializer.signed": {"keys": {"a": "s3cret"}}}}).humanize()
    assert "plugin_options" in shown
    assert "s3cret" not in shown


def test_arguments_do_not_stand_in_headers_beside_an_encrypted_body(formats):
    options = {"serializer.shout": {"end": "..."}}
    given = {
        "plugins": ("serializer.shout", "compression.press"),
        "broker_url": "memory://headers",
        "plugin_options": options,
    }
    services = build_services(Settings(given, use_files=False, environ={}).snapshot(), "test")
    from kernel.contracts.deadline import Deadline
    from kernel.model.call import Call

    for serializer, shown in (("json", "(7,)"), ("shout", "(encrypted)"), ("application/x-shout", "(encrypted)")):
        call = Call("add", (7,), {}, f"id-{serializer}", {"serializer": serializer})
        services.publisher.publish([call])
        (found,) = services.broker.peek("kernel", 1, Deadline.after(5.0))
        assert found.message.headers["argsrepr"] == shown
        services.broker.purge(["kernel"], Deadline.after(5.0))
    services.close()
