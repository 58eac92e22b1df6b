"""Which kinds of object a cluster has, and where: what clients ask before all else."""

from tests.controller.kubernetes.cluster import DEPLOYMENTS


def discovered(kinds, path):
    """Return what is said at a path of discovery; None: nothing."""
    if path == "/version":
        return {"major": "1", "minor": "32", "gitVersion": "v1.32.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return {"apiVersion": "v1", "kind": "APIGroupList", "groups": _groups(kinds)}
    version = path.removeprefix("/apis/").removeprefix("/api/")
    of = [kind for kind in kinds if kind.api_version == version]
    return _resources(of) if of else None


def _groups(kinds):
    found = {}
    for kind in kinds:
        if kind.group:
            served = {"groupVersion": kind.api_version, "version": kind.version}
            found[kind.group] = {
                "name": kind.group,
                "versions": [served],
                "preferredVersion": served,
            }
    return list(found.values())


def _resources(kinds):
    verbs = ["create", "delete", "get", "list", "patch", "update"]
    found = [
        {
            "name": kind.plural,
            "singularName": kind.kind.lower(),
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": verbs,
        }
        for kind in kinds
    ]
    if DEPLOYMENTS in kinds:
        scale = {"name": "deployments/scale", "kind": "Scale"}
        scale |= {"group": "autoscaling", "version": "v1"}
        scale |= {"singularName": "", "namespaced": True}
        found.append({**scale, "verbs": ["get", "patch", "update"]})
    return {
        "apiVersion": "v1",
        "kind": "APIResourceList",
        "groupVersion": kinds[0].api_version,
        "resources": found,
    }
