"""The answers as clients of the first observability node know them, written out.

A member is a type or several, a dict of members, or a list of one kind of item; an
answer may have more members than these, never fewer.
"""

from datetime import datetime, timedelta

NUMBER = (int, float)
NULL = type(None)


class Instant:
    """A time in ISO 8601, of UTC."""


INSTANT = Instant()

HEALTH = {
    "status": str,
    "service": str,
    "version": str,
    "uptime_seconds": float,
    "timestamp": INSTANT,
}
SYSTEM_METRICS = {
    "cpu_percent": NUMBER,
    "memory": dict.fromkeys(("total_mb", "available_mb", "used_mb", "percent"), NUMBER),
    "disk": dict.fromkeys(("total_gb", "used_gb", "free_gb", "percent"), NUMBER),
    "load_averages": dict.fromkeys(("1min", "5min", "15min"), float),
    "timestamp": INSTANT,
}
DATABASE_ACTIVITY = {
    "active_connections": int,
    "transactions_committed": int,
    "transactions_rolled_back": int,
    "blocks_read": int,
    "blocks_hit": int,
    "cache_hit_ratio": NUMBER,
    "tuples_returned": int,
    "tuples_fetched": int,
    "tuples_inserted": int,
    "tuples_updated": int,
    "tuples_deleted": int,
    "timestamp": INSTANT,
}
SYSTEM_STATE = {
    "system_metrics": SYSTEM_METRICS,
    "database_activity": DATABASE_ACTIVITY,
    "redis_queue_depth": int,
    "kubernetes_enabled": bool,
    "last_controller_evaluation": INSTANT,
    "timestamp": INSTANT,
}
CONTROLLER_DECISIONS = {
    "count": int,
    "limit": int,
    "decisions": [
        {
            "id": int,
            "timestamp": INSTANT,
            "user_id": NULL,
            "recommendations": {},
            "actions_taken": [str],
        }
    ],
    "timestamp": INSTANT,
}
GOVERNANCE_STATE = {
    "proposal_summary": {
        "total": int,
        "by_status": {"draft": int, "active": int, "closed": int, "rejected": int},
    },
    "vote_summary": {"total_votes": int},
    "council_summary": {"active_members": int},
    "recent_proposals": [
        {"id": str, "title": str, "status": str, "created_at": INSTANT}
    ],
    "timestamp": INSTANT,
}
AUDIT_SUMMARY = {
    "count": int,
    "limit": int,
    "audit_entries": [
        {
            "id": int,
            "actor_user_id": str,
            "action_type": str,
            "target_entity_id": str,
            "details": {},
            "ip_address": NULL,
            "created_at": INSTANT,
        }
    ],
    "timestamp": INSTANT,
}


def differences(shape, value, where=""):
    """Yield where a value is not of a shape."""
    if isinstance(shape, dict) and isinstance(value, dict):
        for name, member in shape.items():
            if name in value:
                yield from differences(member, value[name], f"{where}/{name}")
            else:
                yield f"{where}/{name} is missing"
    elif isinstance(shape, list) and isinstance(value, list):
        for number, item in enumerate(value):
            yield from differences(shape[0], item, f"{where}/{number}")
    elif not is_plain(shape, value):
        yield f"{where}: {value!r} is no {shape}"


def is_plain(shape, value):
    if isinstance(shape, Instant):
        return is_instant(value)
    if isinstance(shape, dict | list):
        return False
    return isinstance(value, shape) and (shape is bool or not isinstance(value, bool))


def is_instant(value):
    if not isinstance(value, str):
        return False
    try:
        return datetime.fromisoformat(value).utcoffset() == timedelta(0)
    except ValueError:
        return False
