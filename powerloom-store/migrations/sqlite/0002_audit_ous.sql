-- Which entries touch an OU. The entries commit to it in their payload; this outlives the payload's erasure, and of
-- entries older than this table it knows nothing.
CREATE TABLE audit_ous (
    org TEXT NOT NULL,
    ou  TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (org, ou, seq),
    FOREIGN KEY (org, seq) REFERENCES audit_rows (org, seq)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER audit_ous_update BEFORE UPDATE ON audit_ous
BEGIN SELECT RAISE (ABORT, 'audit indexes are never changed'); END;
CREATE TRIGGER audit_ous_delete BEFORE DELETE ON audit_ous
BEGIN SELECT RAISE (ABORT, 'audit indexes are never deleted'); END;
CREATE INDEX audit_by_approval ON audit_rows (org, approval, seq) WHERE approval IS NOT NULL;
