"""Falcon answering 202 without doing anything: what the web server alone costs."""

import falcon


class Nothing:
    """POST /ledger."""

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Read the body and accept it unseen."""
        req.bounded_stream.read()
        resp.status = falcon.HTTP_202
        resp.media = {"state": "queued"}


def application() -> falcon.App:
    """Return the API that does nothing."""
    app = falcon.App()
    app.add_route("/ledger", Nothing())
    return app
