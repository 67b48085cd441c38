-- Which built-in functions may a migration call without a grant? Makes the table of functions.rs.
--
-- Run it on a fresh cluster of every supported version, as the superuser that initdb made, and join the answers:
--
--   for v in 14 15 16 17 18; do psql -XAt -F ' ' -h SOCKETS/$v -U postgres -f functions.sql; done |
--   LC_ALL=C awk '{ if ($2 == "allow") ok[$1]; else no[$1] } END { for (n in ok) if (!(n in no)) print n }' | LC_ALL=C sort
--
-- One line a name of pg_catalog: `NAME allow`, or `NAME` and the rule that keeps it off the list. A name is allowed only
-- where every version that has it allows it, and a version allows it only where every overload passes.
-- Rules 1 to 4 are mechanical; 5 is the review by hand; `keep` are the reviewed exceptions to 2, 3, 4 and to 5's prefixes.
with keep(rule, name) as (
    select k.rule, n from (values
        -- a result that differs from call to call is all that is volatile about them;
        -- timezone is volatile up to 17 because of one overload, (text, timetz), that reads the clock
        ('volatile', 'array_sample array_shuffle clock_timestamp gen_random_uuid random random_normal timeofday timezone uuidv4 uuidv7'),
        -- documented as functions although an operator, an operator class or an aggregate is built on them too
        ('operator', 'array_cat starts_with'),
        ('support', 'bound_box hashint4 hashint8 hashtext hashtextextended inet_merge inet_same_family'),
        -- pg_ functions of their argument alone; pg_trigger_depth is for a trigger's WHEN
        ('review', 'pg_collation_for pg_column_compression pg_column_size pg_size_bytes pg_size_pretty pg_trigger_depth')
    ) k(rule, names), regexp_split_to_table(names, ' ') n
), review(why, pattern) as (values
    -- files, settings, locks, sessions, WAL, replication, backup, statistics, sizes, definitions, visibility, oid look-ups;
    -- pg_input_is_valid and pg_input_error_info run the CHECK of a domain that a text names;
    -- pg_typeof is out because coalesce(nullif(pg_typeof(1), pg_typeof(1)), 16384) prints the name of any table's row type
    ('administration', '^pg_'),
    ('transaction-ids', '^(txid_|mxid_age$)'),
    ('privileges', '^(has_.*_privilege|row_security_active|acl.*|makeaclitem)$'),
    -- a name or an oid in, another object's name, text or rows out
    ('looks-up-objects', '^(to_reg.*|regclass|format_type|oidvectortypes|.*_description|satisfies_hash_partition|ts_debug)$'),
    ('sql-from-text', '^((query|cursor|table|schema|database)_to_xml.*|ts_stat|ts_rewrite)$'),
    ('settings', '^(set_config|current_setting|get_current_ts_config|setseed)$'),
    ('session', '^(current_query|current_schemas|getpgusername|system_user|inet_(client|server)_.*|(icu_)?unicode_version)$'),
    ('sequences', '^(nextval|currval|setval|lastval)$'),
    ('large-objects', '^(lo_.*|loread|lowrite)$'),
    ('validators', '^(fmgr_.*_validator|postgresql_fdw_validator|amvalidate|xmlvalidate)$'),
    -- undocumented doubles of documented functions and parts of types and aggregates that rules 3 and 4 don't catch
    ('internals', '^(dexp|dlog1|dlog10|dround|dtrunc|numeric_.*|int4inc|int8_sum|textlen|like|notlike|cash_words|nameconcatoid|enum_send|.*_canonical|.*_subdiff)$')
), support(oid) as (
    select unnest(array[typinput, typoutput, typreceive, typsend, typmodin, typmodout, typanalyze])::oid from pg_type
    union select amproc::oid from pg_amproc
    union select prosupport::oid from pg_proc
    union select unnest(array[oprrest, oprjoin])::oid from pg_operator
    union select unnest(array[aggtransfn, aggfinalfn, aggcombinefn, aggserialfn, aggdeserialfn,
                              aggmtransfn, aggminvtransfn, aggmfinalfn])::oid from pg_aggregate
    union select conproc::oid from pg_conversion
    union select unnest(array[tmplinit, tmpllexize])::oid from pg_ts_template
    union select unnest(array[prsstart, prstoken, prsend, prsheadline, prslextype])::oid from pg_ts_parser
), overload as (
    select p.proname::text as name, p.provolatile = 'v' as volatile,
           p.prosecdef or p.proowner <> 10 or l.lanname not in ('internal', 'sql', 'c') as foreign_code,
           exists (select 1 from unnest(p.proargtypes::oid[] || coalesce(p.proallargtypes, '{}') || p.prorettype) a(oid)
                   join pg_type t on t.oid = a.oid
                   where t.typname ~ '^_?(internal|cstring|trigger|event_trigger|pg_ddl_command|.*_handler)$') as internal_type,
           coalesce(obj_description(p.oid, 'pg_proc'), '') like 'implementation of % operator' as operator,
           p.oid in (select s.oid from support s) as support
    from pg_proc p join pg_language l on l.oid = p.prolang
    where p.pronamespace = 'pg_catalog'::regnamespace and p.oid < 16384
), name as (
    select o.name, bool_or(foreign_code) as foreign_code, bool_or(internal_type) as internal_type,
           bool_or(volatile) as volatile, bool_and(operator) as operator, bool_and(support) as support,
           (select min(r.why) from review r where o.name ~ r.pattern) as review
    from overload o group by o.name
)
select n.name, case
    when foreign_code or internal_type then '1-internal'
    when volatile and not exists (select 1 from keep k where k.rule = 'volatile' and k.name = n.name) then '2-volatile'
    when operator and not exists (select 1 from keep k where k.rule = 'operator' and k.name = n.name) then '3-operator'
    when support and not exists (select 1 from keep k where k.rule = 'support' and k.name = n.name) then '4-support'
    when review is not null and not exists (select 1 from keep k where k.rule = 'review' and k.name = n.name) then '5-' || review
    else 'allow' end
from name n order by 1;
