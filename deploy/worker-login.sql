-- Lets the worker log in, under the role that is a member of all stages' roles and owns nothing; psql reads the file.
\set password `cat /run/secrets/worker_database_password`
ALTER ROLE ordersync_worker LOGIN PASSWORD :'password';
