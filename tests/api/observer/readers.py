"""How these tests show who they are."""

AUDIT = "/api/audit_summary"


def bearer(person):
    return {"Authorization": f"Bearer {person.access_token}"}


def of_key(caller):
    return {"X-API-Key": caller.key}
