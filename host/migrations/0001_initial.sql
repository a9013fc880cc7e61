-- The server's own tables. JSON is kept as `json`, not `jsonb`: the text of a
-- payload must come back as it came, and jsonb can't hold the NUL character.
CREATE TABLE playbooks (
    tenant        text        NOT NULL,
    path          text        NOT NULL,
    version       integer     NOT NULL,
    name          text        NOT NULL,
    file          text        NOT NULL,
    content       text        NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, path, version)
);

CREATE TABLE credentials (
    tenant     text        NOT NULL,
    alias      text        NOT NULL,
    kind       text        NOT NULL,
    url        text        NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, alias)
);

CREATE TABLE executions (
    id          uuid        PRIMARY KEY,
    tenant      text        NOT NULL,
    path        text        NOT NULL,
    version     integer     NOT NULL,
    status      text        NOT NULL CHECK (status IN ('running', 'success', 'failed', 'interrupted')),
    payload     json        NOT NULL,
    result      json,
    error       json,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    FOREIGN KEY (tenant, path, version) REFERENCES playbooks (tenant, path, version)
);

CREATE INDEX executions_by_start ON executions (tenant, started_at DESC);
CREATE INDEX executions_running ON executions (tenant) WHERE status = 'running';

CREATE TABLE events (
    execution_id uuid        NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
    seq          integer     NOT NULL,
    at           timestamptz NOT NULL,
    event        text        NOT NULL,
    step         text,
    data         json        NOT NULL,
    PRIMARY KEY (execution_id, seq)
);
