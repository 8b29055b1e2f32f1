"""I6: the world comes to rest; what waits for a person says so, and nothing was set aside that anybody could read."""

from __future__ import annotations

# Each statement answers one column of words, one row per thing.
NOT_PASSED_ON = """
SELECT 'change ' || key || '/' || sequence || ' is not published' FROM outbox WHERE published_at IS NULL
UNION ALL SELECT 'event ' || id || ' waits in the spool' FROM spool
UNION ALL SELECT 'alert notice ' || id || ' waits' FROM alert_notices WHERE published_at IS NULL
"""
"""What the workers still have to pass on."""
OVER_BUDGET = "budget does not allow it now"
"""How the reason ends of what the budget holds back."""
_HELD_BACK = f"""
f.state = 'planned' AND f.budget_refusals > 0 AND f.claim_token IS NULL AND f.due_at > f.updated_at
    AND f.reason LIKE '%{OVER_BUDGET}'
    AND NOT EXISTS (SELECT FROM spendings s WHERE s.account = f.account AND s.released_at > f.updated_at)
"""
"""What the budget does not allow waits for the next day or month, and is looked at now and then: nothing is to do."""
LEFT = f"""
SELECT 'follow-up ' || effect || ' ' || purpose || ' of order ' || order_ref || ' is ' || state ||
    coalesce(' (' || reason || ')', '') FROM follow_ups f
    WHERE state IN ('planned', 'sending', 'unknown') AND NOT coalesce({_HELD_BACK}, false)
UNION ALL {NOT_PASSED_ON}
"""  # noqa: S608 - a constant
"""What the workers still have to do."""
MUTE = f"""
SELECT f.state || ' ' || f.effect || ' of ' || o.order_id FROM follow_ups f JOIN orders o ON o.id = f.order_ref
WHERE f.state IN ('unknown', 'awaiting_person', 'awaiting_approval') AND NOT EXISTS (
    SELECT FROM alerts a WHERE a.order_ref = f.order_ref AND a.resolved_at IS NULL)
UNION ALL
SELECT 'the switch of ' || p.account || ' that was pulled by itself' FROM pauses p
WHERE p.lifted_at IS NULL AND p.automatic AND NOT EXISTS (
    SELECT FROM alerts a WHERE a.kind = 'effects_stopped' AND a.resolved_at IS NULL)
UNION ALL
SELECT 'what is over budget, ' || f.effect || ' of ' || o.order_id || ',' FROM follow_ups f
JOIN orders o ON o.id = f.order_ref WHERE {_HELD_BACK} AND NOT EXISTS (
    SELECT FROM alerts a WHERE a.kind = 'budget_exhausted' AND a.resolved_at IS NULL
        AND a.details ->> 'account' = f.account)
"""  # noqa: S608 - a constant
"""What waits for a person without an open alert."""
LETTERS = "SELECT count(*) || ' dead letters: ' || reason FROM dead_letters GROUP BY reason ORDER BY reason"
