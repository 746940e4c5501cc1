from kernel.app.settings import Settings


def test_a_change_wins_over_the_constructor():
    settings = Settings({"task_serializer": "json"}, environ={}, use_files=False)
    settings.task_serializer = "yaml"
    assert settings.snapshot().task_serializer == "yaml"
