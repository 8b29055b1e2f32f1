"""What can go wrong, one small class each: `begin` breaks something and says what, `end` mends it."""

from proof.chaos.faults.catalogue import FAULTS, KINDS
from proof.chaos.faults.fault import Fault

__all__ = ["FAULTS", "KINDS", "Fault"]
