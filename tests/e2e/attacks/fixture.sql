-- The database that is attacked: tables with and without grants, and all that hides a call or a write.
CREATE ROLE app_user;
CREATE SCHEMA hist;
CREATE SCHEMA evil;
CREATE TABLE hist.history (id int PRIMARY KEY, note text);
INSERT INTO hist.history SELECT n, 'applied ' || n FROM generate_series(1, 5) AS n;

CREATE TABLE public.logs (id int PRIMARY KEY, x int, note text, data jsonb);
INSERT INTO public.logs SELECT n, n * 10, 'log ' || n, '{"a": 1}' FROM generate_series(1, 5) AS n;
CREATE INDEX logs_note ON public.logs (lower(note)) WHERE x > 0;
CREATE INDEX logs_x ON public.logs (x);
CREATE TABLE public.patients (id int PRIMARY KEY, name text, ssn text);
INSERT INTO public.patients SELECT n, 'patient ' || n, 'ssn-' || n FROM generate_series(1, 5) AS n;
CREATE INDEX patients_name ON public.patients (name);
CREATE TABLE public.secret (id int PRIMARY KEY, v text, ssn text);
INSERT INTO public.secret SELECT n, 'hidden ' || n, 'ssn-' || n FROM generate_series(1, 5) AS n;
CREATE TABLE public.secret2 (id int PRIMARY KEY, v text);
INSERT INTO public.secret2 SELECT n, 'hidden ' || n FROM generate_series(1, 5) AS n;
CREATE STATISTICS public.secret_stat ON id, v FROM public.secret2;
CREATE SEQUENCE public.s;

-- functions that write, each behind another innocent word
CREATE FUNCTION public.secdef() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN DELETE FROM public.patients; RETURN 1; END $$;
CREATE FUNCTION public.lying() RETURNS int IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM public.secdef(); RETURN 1; END $$;
CREATE FUNCTION public.lying(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM public.secdef(); RETURN $1; END $$;
CREATE FUNCTION public.tf() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM public.secdef(); RETURN NEW; END $$;
CREATE FUNCTION public.attr_fn(public.logs) RETURNS int LANGUAGE sql AS 'SELECT public.secdef()';
CREATE FUNCTION public.step(int, int) RETURNS int LANGUAGE sql AS 'SELECT public.lying()';
CREATE AGGREGATE public.agg (int) (SFUNC = public.step, STYPE = int, INITCOND = '0');
CREATE PROCEDURE public.some_proc() LANGUAGE plpgsql AS $$ BEGIN PERFORM public.secdef(); END $$;
CREATE DOMAIN public.evil AS int CHECK (public.lying(VALUE) = VALUE);
CREATE FUNCTION evil.less(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT public.secdef() = $1';
CREATE FUNCTION evil.compare(int, int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM public.secdef(); RETURN $1 - $2; END $$;
CREATE OPERATOR public.+ (LEFTARG = int, RIGHTARG = int, FUNCTION = public.step);
CREATE OPERATOR evil.< (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.less);
CREATE OPERATOR evil.&& (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.less, COMMUTATOR = OPERATOR(evil.&&));
CREATE OPERATOR CLASS evil.opclass FOR TYPE int USING btree AS
    OPERATOR 1 pg_catalog.<, OPERATOR 2 pg_catalog.<=, OPERATOR 3 pg_catalog.=, OPERATOR 4 pg_catalog.>=,
    OPERATOR 5 pg_catalog.>, FUNCTION 1 evil.compare(int, int);

-- what a granted name leads to
CREATE TABLE public.deferred (id int PRIMARY KEY, x int);
INSERT INTO public.deferred VALUES (1, 1);
CREATE CONSTRAINT TRIGGER at_commit AFTER UPDATE ON public.deferred DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION public.tf();
CREATE TABLE public.triggered (id int PRIMARY KEY, x int);
INSERT INTO public.triggered VALUES (1, 1);
CREATE TRIGGER at_once BEFORE UPDATE ON public.triggered FOR EACH ROW EXECUTE FUNCTION public.tf();
CREATE TABLE public.pa (id int PRIMARY KEY);
INSERT INTO public.pa SELECT generate_series(1, 5);
CREATE TABLE public.child (id int PRIMARY KEY, pa int REFERENCES public.pa ON DELETE CASCADE ON UPDATE CASCADE);
INSERT INTO public.child SELECT n, n FROM generate_series(1, 5) AS n;
CREATE TABLE public.ruled (id int PRIMARY KEY, x int);
INSERT INTO public.ruled VALUES (1, 1);
CREATE RULE also AS ON UPDATE TO public.ruled DO ALSO DELETE FROM public.patients;
CREATE TABLE public.defaulted (id int PRIMARY KEY, x int DEFAULT public.secdef(), y bigint DEFAULT nextval('public.s'));
INSERT INTO public.defaulted VALUES (1, 1, 1);
CREATE TABLE public.generated (id int PRIMARY KEY, x int, y int GENERATED ALWAYS AS (x + 1) STORED);
INSERT INTO public.generated VALUES (1, 1);
CREATE FUNCTION public.checked(int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM public.secdef(); RETURN true; END $$;
CREATE TABLE public.checking (id int PRIMARY KEY, x int);
INSERT INTO public.checking VALUES (1, 1);
ALTER TABLE public.checking ADD CONSTRAINT calls CHECK (public.checked(x)) NOT VALID;
CREATE TABLE public.typed (id int PRIMARY KEY, kind public.evil);
INSERT INTO public.typed VALUES (1, NULL);
CREATE VIEW public.v_secret AS SELECT * FROM public.secret;
CREATE VIEW public.v_logs AS SELECT * FROM public.logs;
CREATE VIEW public.v_calls AS SELECT public.lying() AS x;
CREATE TABLE public.guarded (id int PRIMARY KEY, x int);
INSERT INTO public.guarded VALUES (1, 1);
ALTER TABLE public.guarded ENABLE ROW LEVEL SECURITY;
CREATE TABLE public.inbox (id int PRIMARY KEY, note text);
INSERT INTO public.inbox VALUES (1, 'first');

-- one of the fixture's own makes the rows again, so that all that it does is undone before the attacks
TRUNCATE public.patients;
INSERT INTO public.patients SELECT n, 'patient ' || n, 'ssn-' || n FROM generate_series(1, 5) AS n;

CREATE TABLE public.probe_step (phase text, step int, verb text, args text[]);
CREATE TABLE public.probe_answer (step int, line int, place int, name text, type_name text, kind text, value text);
