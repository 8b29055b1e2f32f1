"""What only a witness inside the database can see, written to tables of its own that the product knows nothing of.

A claim that is taken over while its lease runs, a spool that is drained in another order than it was filled, a call
that is begun under somebody else's claim, or against what stands there at that very moment: a pause, a newer plan, a
refund, another call; and two who spend of one account at once and so do not see each other. The witness says in its
own words what the guards of the product say in theirs.
"""

from __future__ import annotations

from worker.storage.follow_up_claims import ALIVE

_SPENDING = 0x51
"""First key of the witness's own locks: held by whoever has spent of an account, until his transaction ends."""
_MACHINE = "coalesce(current_setting('virtual.machine', true), '')"


def statements(schema: str) -> str:
    """Return what makes the witness, for a database whose tables are in `schema`."""
    return f"""
CREATE TABLE {schema}.seen (id bigint GENERATED ALWAYS AS IDENTITY, what text NOT NULL);
CREATE TABLE {schema}.spooled (id bigint, event_id text);
CREATE TABLE {schema}.claimers (token uuid PRIMARY KEY, machine text NOT NULL);
CREATE FUNCTION {schema}.watch_claims() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.claim_token IS NOT NULL THEN
        INSERT INTO {schema}.claimers VALUES (NEW.claim_token, {_MACHINE}) ON CONFLICT DO NOTHING;
    END IF;
    IF OLD.claim_token IS NOT NULL AND NEW.claim_token IS NOT NULL AND NEW.claim_token <> OLD.claim_token
        AND OLD.claimed_until >= now() AND (OLD.claimed_by IS NULL OR OLD.claimed_by IN ({ALIVE})) THEN
        INSERT INTO {schema}.seen (what) VALUES (format('follow-up %s (%s) was claimed while its lease ran', OLD.id,
            OLD.effect));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER watch_claims AFTER UPDATE OF claim_token ON follow_ups
    FOR EACH ROW EXECUTE FUNCTION {schema}.watch_claims();
CREATE FUNCTION {schema}.watch_spool() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO {schema}.spooled VALUES (NEW.id, NEW.headers ->> 'ce_id');
    RETURN NULL;
END $$;
CREATE TRIGGER watch_spool AFTER INSERT ON spool FOR EACH ROW EXECUTE FUNCTION {schema}.watch_spool();
CREATE FUNCTION {schema}.watch_calls() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE
    mine record;
BEGIN
    INSERT INTO {schema}.seen (what) SELECT format('a call of follow-up %s (%s) was begun by %s under the claim of %s',
        NEW.follow_up_id, NEW.effect, {_MACHINE}, c.machine)
        FROM {schema}.claimers c WHERE c.token = NEW.claim_token AND c.machine <> {_MACHINE};
    SELECT f.effect, f.account, f.order_ref, o.order_id, o.paid, coalesce(p.version, 0) AS version INTO mine
    FROM follow_ups f JOIN orders o ON o.id = f.order_ref LEFT JOIN plans p
        ON (p.account, p.platform, p.order_id) = (o.account, o.platform, o.order_id)
    WHERE f.id = NEW.follow_up_id;
    IF EXISTS (SELECT FROM pauses h WHERE h.lifted_at IS NULL AND coalesce(h.account, mine.account) = mine.account
        AND coalesce(h.effect, mine.effect) = mine.effect) THEN
        INSERT INTO {schema}.seen (what) VALUES (format('%s of order %s was begun during a pause', mine.effect,
            mine.order_id));
    END IF;
    IF mine.version <> CAST(coalesce(NEW.evidence ->> 'plan_version', '0') AS int) THEN
        INSERT INTO {schema}.seen (what) VALUES (format('%s of order %s was begun by plan %s, %s stands', mine.effect,
            mine.order_id, NEW.evidence ->> 'plan_version', mine.version));
    END IF;
    IF mine.effect IN ('confirm_receipt', 'book_international') AND EXISTS (SELECT FROM refunds r
        WHERE r.order_ref = mine.order_ref AND r.status NOT IN ('succeeded', 'closed')) THEN
        INSERT INTO {schema}.seen (what) VALUES (format('%s of order %s was begun while a refund is known to be open',
            mine.effect, mine.order_id));
    END IF;
    IF mine.paid AND mine.effect IN ('pay', 'cancel') THEN
        INSERT INTO {schema}.seen (what) VALUES (format('%s of order %s was begun though it is known to be paid',
            mine.effect, mine.order_id));
    END IF;
    IF mine.effect IN ('pay', 'cancel') AND EXISTS (SELECT FROM follow_ups f WHERE f.order_ref = mine.order_ref
        AND f.effect IN ('pay', 'cancel') AND f.effect <> mine.effect AND f.state IN ('sending', 'unknown')) THEN
        INSERT INTO {schema}.seen (what) VALUES (format('%s of order %s was begun beside its opposite', mine.effect,
            mine.order_id));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER watch_calls AFTER INSERT ON follow_up_attempts
    FOR EACH ROW EXECUTE FUNCTION {schema}.watch_calls();
{_spending(schema)}
"""  # noqa: S608 - names are ours


def _spending(schema: str) -> str:
    return f"""
CREATE TABLE {schema}.crowded (account text NOT NULL);
CREATE FUNCTION {schema}.watch_spending() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NOT pg_try_advisory_xact_lock({_SPENDING}, hashtext(NEW.account)) THEN
        INSERT INTO {schema}.crowded VALUES (NEW.account);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER watch_spending AFTER INSERT ON spendings
    FOR EACH ROW EXECUTE FUNCTION {schema}.watch_spending();
"""  # noqa: S608 - names are ours
