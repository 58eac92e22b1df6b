"""A Celery of our configuration, whose jobs last as long as a file is there."""

import time
from pathlib import Path

from celery import Celery

app = Celery("held")
app.config_from_object("celeryconfig")


@app.task(name="ledger.hold")
def hold(path):
    while Path(path).exists():
        time.sleep(0.01)
