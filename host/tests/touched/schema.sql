-- One of each way on which a statement reaches something that it does not name.
CREATE SCHEMA s;
CREATE SCHEMA ext;
CREATE EXTENSION pg_trgm SCHEMA ext;
SET search_path = pg_catalog;

CREATE FUNCTION s.f(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION s.with_default(integer, integer DEFAULT s.f(2)) RETURNS integer LANGUAGE sql AS 'SELECT $2';
CREATE FUNCTION s.same(integer, integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2';
CREATE FUNCTION s.secret() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT ''x''';
CREATE OPERATOR s.=== (LEFTARG = integer, RIGHTARG = integer, FUNCTION = s.same);
CREATE AGGREGATE s.total(integer) (SFUNC = int4pl, STYPE = integer);
CREATE TYPE s.mood AS ENUM ('sad', 'glad');
CREATE TYPE s.calm AS ENUM ('yes', 'no');
CREATE DOMAIN s.checked AS integer CHECK (s.f(VALUE) > 0 AND VALUE OPERATOR(s.===) VALUE);
CREATE TYPE s.pair AS (a s.checked, b text);
CREATE FUNCTION s.mood_json(s.mood) RETURNS json LANGUAGE sql SECURITY DEFINER AS 'SELECT ''{}''::json';
CREATE FUNCTION s.calm_number(s.calm) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE CAST (s.mood AS json) WITH FUNCTION s.mood_json(s.mood);
CREATE CAST (s.calm AS integer) WITH FUNCTION s.calm_number(s.calm) AS IMPLICIT;
CREATE COLLATION s.plain (LOCALE = 'C');
CREATE TEXT SEARCH DICTIONARY s.words (TEMPLATE = simple);
CREATE TEXT SEARCH CONFIGURATION s.search (PARSER = "default");
CREATE SEQUENCE s.numbers;

CREATE TABLE s.logs (id integer PRIMARY KEY, v text, secret text, m s.mood, c s.calm);
CREATE TABLE s.other (id integer, v text);
CREATE FUNCTION s.of_row(s.logs) RETURNS text LANGUAGE sql AS 'SELECT ''x''';
CREATE VIEW s.near AS SELECT id, v FROM s.logs;
CREATE VIEW s.far AS SELECT n.v, s.f(n.id) AS f FROM s.near n WHERE EXISTS (SELECT FROM s.other o WHERE o.id OPERATOR(s.===) n.id);
CREATE VIEW s.whole AS SELECT l AS row FROM s.logs l;
CREATE MATERIALIZED VIEW s.kept AS SELECT id FROM s.other;

-- foreign keys, three deep, and one that leads back
CREATE TABLE s.a (id integer PRIMARY KEY, code integer UNIQUE, note text);
CREATE TABLE s.b (id integer PRIMARY KEY, a integer CONSTRAINT b_a REFERENCES s.a ON DELETE CASCADE);
CREATE TABLE s.c (id integer PRIMARY KEY, b integer CONSTRAINT c_b REFERENCES s.b ON DELETE CASCADE);
CREATE TABLE s.d (id integer, c integer CONSTRAINT d_c REFERENCES s.c ON DELETE SET NULL, code integer DEFAULT s.f(1)
    CONSTRAINT d_code REFERENCES s.a (code) ON UPDATE CASCADE ON DELETE SET DEFAULT);
CREATE TABLE s.round (id integer PRIMARY KEY, next integer CONSTRAINT round_next REFERENCES s.round ON DELETE CASCADE);
CREATE FUNCTION s.fired() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER on_d AFTER UPDATE OF c ON s.d FOR EACH ROW EXECUTE FUNCTION s.fired();
CREATE TRIGGER on_note BEFORE UPDATE OF note ON s.a FOR EACH STATEMENT EXECUTE FUNCTION s.fired();

-- columns, checks, indexes
CREATE TABLE s.defined (id serial, d integer DEFAULT s.f(1), g integer GENERATED ALWAYS AS (s.f(1)) STORED,
    n integer CONSTRAINT n_check CHECK (n OPERATOR(s.===) 1), p s.pair, t text);
CREATE INDEX defined_expression ON s.defined ((s.f(n)));
CREATE INDEX defined_predicate ON s.defined (n) WHERE s.f(n) > 1;
CREATE INDEX defined_class ON s.defined USING gin (t ext.gin_trgm_ops);

-- inheritance and partitions
CREATE TABLE s.parent (id integer, v text);
CREATE TABLE s.child () INHERITS (s.parent);
CREATE TABLE s.grandchild () INHERITS (s.child);
CREATE TRIGGER on_parent AFTER DELETE ON s.parent FOR EACH STATEMENT EXECUTE FUNCTION s.fired();
CREATE TRIGGER on_child AFTER DELETE ON s.child FOR EACH ROW WHEN (s.f(OLD.id) > 0) EXECUTE FUNCTION s.fired();
CREATE TRIGGER on_child_statement AFTER DELETE ON s.child FOR EACH STATEMENT EXECUTE FUNCTION s.fired();
CREATE TRIGGER off AFTER DELETE ON s.grandchild FOR EACH ROW EXECUTE FUNCTION s.fired();
ALTER TABLE s.grandchild DISABLE TRIGGER off;
CREATE TABLE s.parts (id integer, v text) PARTITION BY RANGE (s.f(id));
CREATE TABLE s.part_1 PARTITION OF s.parts FOR VALUES FROM (0) TO (10);
CREATE TABLE s.part_2 PARTITION OF s.parts FOR VALUES FROM (10) TO (20);
CREATE TABLE s.lists (id integer, v text) PARTITION BY LIST (id);
CREATE TABLE s.list_1 PARTITION OF s.lists FOR VALUES IN (1);
CREATE TRIGGER on_lists AFTER INSERT ON s.lists FOR EACH ROW EXECUTE FUNCTION s.fired();
CREATE TRIGGER on_list_1 BEFORE DELETE ON s.list_1 FOR EACH ROW EXECUTE FUNCTION s.fired();

-- views and rules
CREATE VIEW s.over AS SELECT id AS "the id", (SELECT max(id) FROM s.a) AS most, note FROM s.a WHERE id > 0;
CREATE VIEW s.over_over AS SELECT note AS n, "the id" FROM s.over;
CREATE VIEW s.handled AS SELECT id FROM s.a;
CREATE TRIGGER instead INSTEAD OF DELETE ON s.handled FOR EACH ROW EXECUTE FUNCTION s.fired();
CREATE TABLE s.ruled (id integer);
CREATE RULE also AS ON INSERT TO s.ruled DO ALSO DELETE FROM s.other;
CREATE TABLE s.guarded (id integer);
ALTER TABLE s.guarded ENABLE ROW LEVEL SECURITY;
CREATE TABLE s.plain (id integer PRIMARY KEY, v text);
CREATE TABLE s.before (id integer PRIMARY KEY, v text);
CREATE TABLE s.behind (id integer CONSTRAINT behind_id REFERENCES s.before ON UPDATE CASCADE);
CREATE TRIGGER changes BEFORE UPDATE ON s.before FOR EACH ROW EXECUTE FUNCTION s.fired();
