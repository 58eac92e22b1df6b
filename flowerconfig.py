"""Flower's own configuration, which it reads where it is started, in this directory.

Who reaches Flower sees what workers do and may shut them down: beyond this host it asks
for a password, or it does not start.
"""

from tornado.options import options

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}

# What the environment and the command line say is known by now; the names below are
# options too.
basic_auth = [credentials for credentials in options.basic_auth or [] if credentials]
address = options.address or "127.0.0.1"

for credentials in basic_auth:
    user, _, password = credentials.partition(":")
    if not (user and password):
        raise SystemExit("flower: FLOWER_BASIC_AUTH must be user:password")
if address not in _LOOPBACK and not (basic_auth or options.auth):
    raise SystemExit(
        f"flower: others can reach {address}, and whoever does may stop workers; set "
        "FLOWER_BASIC_AUTH=user:password, or --address=127.0.0.1"
    )
