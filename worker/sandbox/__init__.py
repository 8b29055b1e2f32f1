"""A twin of the marketplaces' APIs: for trying out, tests and benchmarks.

It imports nothing of this project but the catalogue of operations, so that a mistake in our reading of the API cannot
hide in both places.
"""

from worker.sandbox.aop.config import AopConfig
from worker.sandbox.app import create_app
from worker.sandbox.config import DEMO_SPEED, SandboxConfig
from worker.sandbox.sandbox import Sandbox, Stats
from worker.sandbox.server import SandboxServer, run
from worker.sandbox.signing import sign

__all__ = ["DEMO_SPEED", "AopConfig", "Sandbox", "SandboxConfig", "SandboxServer", "Stats", "create_app", "run", "sign"]
