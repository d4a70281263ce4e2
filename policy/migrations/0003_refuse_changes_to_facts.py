"""The database itself refuses to change or delete audit records and decisions, or to set the head of the log back."""

from django.db import migrations

# ruff: noqa: S608

FACTS = ("policy_auditrecord", "policy_decision")
HEAD = "policy_audithead"

SQLITE = {
    "{table}_no_update": (
        "BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, '{table} is append-only: no row may be changed'); END"
    ),
    "{table}_no_delete": (
        "BEFORE DELETE ON {table} BEGIN SELECT RAISE(ABORT, '{table} is append-only: no row may be deleted'); END"
    ),
    # INSERT OR REPLACE deletes the old row without asking the delete trigger, unless recursive triggers are on.
    "{table}_no_replace": (
        "BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
        "BEGIN SELECT RAISE(ABORT, '{table} is append-only: no row may be replaced'); END"
    ),
}
SAME = {
    "policy_auditrecord": "sequence = NEW.sequence",
    "policy_decision": "id = NEW.id OR (approval_id = NEW.approval_id AND user_id = NEW.user_id)",
}
SQLITE_HEAD = {
    f"{HEAD}_forward": (
        f"BEFORE UPDATE ON {HEAD} WHEN NEW.sequence <= OLD.sequence OR NEW.id <> OLD.id "
        f"BEGIN SELECT RAISE(ABORT, '{HEAD} only moves forward'); END"
    ),
    f"{HEAD}_no_delete": f"BEFORE DELETE ON {HEAD} BEGIN SELECT RAISE(ABORT, '{HEAD} is never deleted'); END",
    f"{HEAD}_no_replace": (
        f"BEFORE INSERT ON {HEAD} WHEN EXISTS (SELECT 1 FROM {HEAD} WHERE id = NEW.id) "
        f"BEGIN SELECT RAISE(ABORT, '{HEAD} is never replaced'); END"
    ),
}

POSTGRESQL_FUNCTIONS = """
CREATE FUNCTION policy_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION policy_refuse_backward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.sequence <= OLD.sequence OR NEW.id <> OLD.id THEN
        RAISE EXCEPTION '% only moves forward', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""
POSTGRESQL_HEAD = f"""
CREATE TRIGGER {HEAD}_forward BEFORE UPDATE ON {HEAD} FOR EACH ROW EXECUTE FUNCTION policy_refuse_backward();
CREATE TRIGGER {HEAD}_no_delete BEFORE DELETE ON {HEAD} FOR EACH ROW EXECUTE FUNCTION policy_refuse_change();
CREATE TRIGGER {HEAD}_no_truncate BEFORE TRUNCATE ON {HEAD} FOR EACH STATEMENT EXECUTE FUNCTION policy_refuse_change();
"""
POSTGRESQL_FACTS = """
CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION policy_refuse_change();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION policy_refuse_change();
"""


def sqlite_triggers():
    facts = {
        name.format(table=table): body.format(table=table, same=SAME[table])
        for table in FACTS
        for name, body in SQLITE.items()
    }
    return {**facts, **SQLITE_HEAD}


def refuse(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        for name, body in sqlite_triggers().items():
            schema_editor.execute(f"CREATE TRIGGER {name} {body}")
    elif schema_editor.connection.vendor == "postgresql":
        facts = "".join(POSTGRESQL_FACTS.format(table=table) for table in FACTS)
        schema_editor.execute(POSTGRESQL_FUNCTIONS + POSTGRESQL_HEAD + facts, params=None)


def allow(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        for name in sqlite_triggers():
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")
    elif schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP FUNCTION policy_refuse_change() CASCADE", params=None)
        schema_editor.execute("DROP FUNCTION policy_refuse_backward() CASCADE", params=None)


class Migration(migrations.Migration):
    dependencies = [("policy", "0002_begin_audit_log")]

    operations = [migrations.RunPython(refuse, allow)]
