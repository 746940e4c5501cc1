from proj.library import power


def test_the_worker_of_the_session(celery_session_app, celery_session_worker):
    assert power.delay(2, 4).get(timeout=60) == 16


def test_it_is_the_same_one(celery_session_app, celery_session_worker):
    assert celery_session_app.tasks["proj.library.Doubles"].delay(4).get(timeout=60) == 8
