-- Who may call the API. Of a key, only its digest is kept.
CREATE TABLE api_keys (
    id           uuid        PRIMARY KEY,
    tenant       text        NOT NULL,
    name         text        NOT NULL,
    role         text        NOT NULL CHECK (role IN ('viewer', 'runner', 'author', 'admin')),
    paths        text[],
    digest       bytea       NOT NULL UNIQUE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    created_by   text,
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz
);
CREATE INDEX api_keys_by_tenant ON api_keys (tenant, created_at);

-- A version that was removed keeps its number, and its executions their text.
ALTER TABLE playbooks
    ADD COLUMN registered_by text,
    ADD COLUMN deleted_at    timestamptz;

-- `owner` is the server that runs an execution: see store/presence.rs.
ALTER TABLE executions
    DROP CONSTRAINT executions_status_check,
    ADD CONSTRAINT executions_status_check
        CHECK (status IN ('running', 'success', 'failed', 'interrupted', 'cancelled')),
    ADD COLUMN owner           integer NOT NULL DEFAULT 0,
    ADD COLUMN started_by      text,
    ADD COLUMN rerun_of        uuid,
    ADD COLUMN resumed         integer NOT NULL DEFAULT 0,
    ADD COLUMN cancel_asked    boolean NOT NULL DEFAULT false,
    ADD COLUMN idempotency_key text,
    ADD COLUMN request_digest  bytea,
    ADD CONSTRAINT executions_idempotency_key UNIQUE (tenant, idempotency_key);
DROP INDEX executions_by_start;
DROP INDEX executions_running;
-- Ids are of version 7: their order is that of time.
CREATE INDEX executions_by_id ON executions (tenant, id DESC);
CREATE INDEX executions_by_path ON executions (tenant, path text_pattern_ops, id DESC);
CREATE INDEX executions_running ON executions (owner) WHERE status = 'running';
CREATE INDEX executions_ended ON executions (finished_at) WHERE status <> 'running';

ALTER TABLE events ADD COLUMN tenant text;
UPDATE events SET tenant = (SELECT tenant FROM executions WHERE id = execution_id);
ALTER TABLE events ALTER COLUMN tenant SET NOT NULL;

-- Every query names its tenant. Should one ever forget to, these see to it that it
-- finds nothing: a session works for the tenant in `noetl.tenant`, and for all of
-- them only if it says `*`, which is no tenant's name.
ALTER TABLE playbooks ENABLE ROW LEVEL SECURITY;
ALTER TABLE playbooks FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON playbooks USING (current_setting('noetl.tenant', true) IN (tenant, '*'));
ALTER TABLE credentials ENABLE ROW LEVEL SECURITY;
ALTER TABLE credentials FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON credentials USING (current_setting('noetl.tenant', true) IN (tenant, '*'));
ALTER TABLE executions ENABLE ROW LEVEL SECURITY;
ALTER TABLE executions FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON executions USING (current_setting('noetl.tenant', true) IN (tenant, '*'));
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE events FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON events USING (current_setting('noetl.tenant', true) IN (tenant, '*'));
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON api_keys USING (current_setting('noetl.tenant', true) IN (tenant, '*'));

-- Whether a path is one of `paths`, or below one of them that ends in a slash.
CREATE FUNCTION within(path text, paths text[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN EXISTS (SELECT FROM unnest(paths) AS p WHERE path = p OR p LIKE '%/' AND starts_with(path, p));
