#!/bin/sh
# Runs once, in an empty cluster (/docker-entrypoint-initdb.d): the owner and its database.
# The owner may make roles and is no superuser, as in a managed PostgreSQL.
set -e
: "${OWNER_PASSWORD:?is made by deploy/make_secrets.py}"
psql --no-psqlrc -v ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
    -v owner=tabularium -v password="$OWNER_PASSWORD" <<'SQL'
-- The password of the next statement is for no log.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
SELECT format('CREATE ROLE %I LOGIN CREATEROLE PASSWORD %L', :'owner', :'password') \gexec
SELECT format('GRANT SET ON PARAMETER session_replication_role TO %I WITH GRANT OPTION', :'owner') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'owner', :'owner') \gexec
SQL
