-- A database role per stage, with what its work needs and no more. Run it as the owner of the schema, after every
-- migration; run it as often as you like. None of the roles can log in until somebody gives it a password:
--
--   ALTER ROLE ordersync_reconcile LOGIN PASSWORD '...';
--
-- ordersync_worker is for one process that does everything: a member of all others, and still not the owner. None of
-- them may change the schema, empty a table, or delete what is history: orders, facts, ledger, outbox, dead letters.

DO $roles$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['intake', 'reconcile', 'followups', 'outbound', 'operations', 'worker'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ordersync_' || name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', 'ordersync_' || name);
        END IF;
        -- What an older version was given, and this one no longer needs, goes.
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', 'ordersync_' || name);
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', 'ordersync_' || name);
        EXECUTE format('GRANT SELECT ON alembic_version TO %I', 'ordersync_' || name);
    END LOOP;
END
$roles$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;

-- intake: the spool, the cursors of pollers, the pace, plans of other systems, letters that name no order.
GRANT SELECT, INSERT, DELETE ON spool TO ordersync_intake;
GRANT SELECT, INSERT, UPDATE ON cursors, rate_limits, plans, alerts TO ordersync_intake;
GRANT SELECT, INSERT ON plan_versions, audit_log, alert_notices TO ordersync_intake;
GRANT SELECT, INSERT, UPDATE ON dead_letters TO ordersync_intake;
GRANT SELECT, UPDATE ON dead_letter_replay_items TO ordersync_intake;
GRANT SELECT ON orders TO ordersync_intake;
GRANT SELECT, INSERT, UPDATE ON follow_ups TO ordersync_intake;

-- reconcile: the model, its timeline, what is wanted in the ledger, the outbox.
GRANT SELECT, INSERT, UPDATE ON orders, facts, follow_ups, alerts, dead_letters TO ordersync_reconcile;
GRANT SELECT, INSERT, UPDATE, DELETE ON order_lines, parcels, refunds TO ordersync_reconcile;
GRANT SELECT, INSERT ON outbox, alert_notices TO ordersync_reconcile;
GRANT SELECT, UPDATE ON dead_letter_replay_items, spendings TO ordersync_reconcile;
GRANT SELECT ON follow_up_attempts, approvals, pauses, plans TO ordersync_reconcile;

-- followups: the ledger. It reads the model, and writes what it hears as events, never into the model.
GRANT SELECT, INSERT, UPDATE ON follow_ups, follow_up_attempts, spendings, pauses, alerts, rate_limits TO ordersync_followups;
GRANT SELECT, INSERT ON alert_notices, audit_log, spool TO ordersync_followups;
GRANT SELECT ON orders, order_lines, parcels, refunds, facts, plans, approvals, cursors TO ordersync_followups;
-- To lock an order's row before money moves. The id is always generated: nobody can set it.
GRANT UPDATE (id) ON orders TO ordersync_followups;

-- outbound: the outbox alone.
GRANT SELECT ON outbox TO ordersync_outbound;
GRANT UPDATE (published_at) ON outbox TO ordersync_outbound;

-- operations: reads everything, and writes what people decide.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO ordersync_operations;
GRANT UPDATE ON alert_notices, dead_letters, spendings TO ordersync_operations;
GRANT INSERT ON alert_notices, approvals, audit_log, plan_versions TO ordersync_operations;
GRANT INSERT, UPDATE ON alerts, dead_letter_replays, dead_letter_replay_items, follow_ups, pauses, plans TO ordersync_operations;
-- The API's pages look for transactions of other roles that still run: when they began is hidden otherwise.
GRANT pg_read_all_stats TO ordersync_operations;

GRANT ordersync_intake, ordersync_reconcile, ordersync_followups, ordersync_outbound, ordersync_operations TO ordersync_worker;
