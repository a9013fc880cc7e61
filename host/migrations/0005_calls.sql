-- Executions that are a part of another one: a step of it called their playbook.
ALTER TABLE executions
    ADD COLUMN parent      uuid,
    ADD COLUMN parent_step text;
CREATE INDEX executions_by_parent ON executions (parent) WHERE parent IS NOT NULL;
