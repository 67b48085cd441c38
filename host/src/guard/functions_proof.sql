-- What is wrong with the function allow-list on this server? $1: ALLOWED, $2: VOLATILE, as text[]. No row: nothing.
-- Any login may run it. It is true of a database as it stands now: an extension or a superuser may have added overloads to
-- pg_catalog or altered a built-in, so it is a preflight check as well as a test. 16384 is FirstNormalObjectId.
select p.oid::regprocedure::text as function, f.fault
from pg_catalog.pg_proc p
join pg_catalog.pg_language l on l.oid = p.prolang
cross join lateral (values
    (p.oid >= 16384, 'is not built in'),
    (p.proowner <> 10, 'is not owned by the bootstrap superuser'),
    (p.prosecdef, 'is SECURITY DEFINER'),
    (p.proconfig is not null, 'changes settings'),
    (l.lanname not in ('internal', 'sql', 'c'), 'is written in ' || l.lanname),
    (p.prokind = 'p', 'is a procedure'),
    (p.provolatile = 'v' and p.proname::text <> all ($2::text[]), 'is VOLATILE'),
    (exists (select from unnest(p.proargtypes::oid[] || coalesce(p.proallargtypes, '{}') || p.prorettype) a(oid)
             join pg_catalog.pg_type t on t.oid = a.oid
             where t.typname ~ '^_?(internal|cstring|trigger|event_trigger|pg_ddl_command|.*_handler)$'),
     'takes or returns an internal type'),
    -- a reg type looks objects up by name or oid and prints their names; regconfig and regdictionary may be taken (text search)
    (exists (select from unnest(p.proargtypes::oid[] || coalesce(p.proallargtypes, '{}') || p.prorettype) a(oid)
             join pg_catalog.pg_type t on t.oid = a.oid
             where t.typname ~ '^_?reg' and (t.typname !~ '^reg(config|dictionary)$' or t.oid = p.prorettype)),
     'takes or returns an object''s name')
) f(found, fault)
where p.pronamespace = 'pg_catalog'::regnamespace and p.proname::text = any ($1::text[]) and f.found
union all
-- a built-in cast must not call what the list denies: else a harmless x::bigint would be refused by the resolve wall
select p.oid::regprocedure::text, 'is a built-in cast''s function and not on the list'
from pg_catalog.pg_cast c join pg_catalog.pg_proc p on p.oid = c.castfunc
where p.oid < 16384 and p.proname::text <> all ($1::text[]) and p.oid <> 1079  -- 1079: regclass(text), looks a name up
union all
-- the list is of names that some version has; 18 has all of them, a later one may have dropped some
select n, 'is on the list, but no function of this version'
from unnest($1::text[]) n
where current_setting('server_version_num')::int / 10000 = 18
  and not exists (select from pg_catalog.pg_proc p where p.pronamespace = 'pg_catalog'::regnamespace and p.proname::text = n)
order by 1, 2
