"""The composition root: from settings and accounts to running roles. The only room that knows every other."""

from worker.composition.worker import ALL_ROLES, GROUP, PLANS_GROUP, Role, Worker, running

__all__ = ["ALL_ROLES", "GROUP", "PLANS_GROUP", "Role", "Worker", "running"]
