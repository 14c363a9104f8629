-- Which jobs need a consumable resource, and how much of it: what ListJobsByConsumableResource asks.
CREATE TABLE needs (
    resource TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    PRIMARY KEY (resource, sequence)
) WITHOUT ROWID;
