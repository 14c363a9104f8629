-- Nouns that are few and small share one table: scheduling policies, consumable resources and their
-- like. `kind` is the name of the model's class, `value` the noun as JSON.
CREATE TABLE nouns (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
