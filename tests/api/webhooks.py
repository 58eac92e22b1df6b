"""What tests of webhooks over HTTP share: how one is made and changed."""

WEBHOOKS = "/api/webhooks"
URL = "https://hooks.example/in"


def make(caller, **fields):
    return caller.post(WEBHOOKS, {"url": URL, "events": ["job.failed"], **fields})


def change(caller, path, body, **headers):
    tag = {"If-Match": caller.get(path).headers["ETag"]}
    return caller.send("PATCH", path, json=body, headers={**tag, **headers})
