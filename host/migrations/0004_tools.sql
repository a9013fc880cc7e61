-- Components that tenants have pushed. A version never changes; one that was removed
-- keeps its number. `revision` grows with every change of any row: servers look for it.
CREATE SEQUENCE tool_revisions;
CREATE TABLE tools (
    tenant     text        NOT NULL,
    name       text        NOT NULL,
    version    text        NOT NULL,
    digest     text        NOT NULL,
    size       bigint      NOT NULL,
    manifest   jsonb       NOT NULL,
    imports    text[]      NOT NULL,
    signature  text,
    status     text        NOT NULL CHECK (status IN ('compiling', 'ready', 'failed')),
    error      text,
    pushed_at  timestamptz NOT NULL DEFAULT now(),
    pushed_by  text,
    deleted_at timestamptz,
    revision   bigint      NOT NULL DEFAULT nextval('tool_revisions'),
    PRIMARY KEY (tenant, name, version)
);
CREATE INDEX tools_by_revision ON tools (revision);
CREATE TABLE tool_components (
    tenant text  NOT NULL,
    digest text  NOT NULL,
    bytes  bytea NOT NULL,
    PRIMARY KEY (tenant, digest)
);
-- They are compressed already as far as it is worth the time.
ALTER TABLE tool_components ALTER COLUMN bytes SET STORAGE EXTERNAL;

ALTER TABLE tools ENABLE ROW LEVEL SECURITY;
ALTER TABLE tools FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON tools USING (current_setting('noetl.tenant', true) IN (tenant, '*'));
ALTER TABLE tool_components ENABLE ROW LEVEL SECURITY;
ALTER TABLE tool_components FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON tool_components USING (current_setting('noetl.tenant', true) IN (tenant, '*'));
