-- Everything that an attack could have changed, as one line each: a name and a checksum. The probe's own script
-- and what the host records about runs are no part of it.
WITH catalogs AS (
    SELECT 'pg_class' AS name, c::text AS line FROM pg_class c WHERE relnamespace <> 'pg_toast'::regnamespace
    UNION ALL SELECT 'pg_attribute', a::text FROM pg_attribute a
    UNION ALL SELECT 'pg_attrdef', concat_ws(' ', adrelid, adnum, pg_get_expr(adbin, adrelid)) FROM pg_attrdef
    UNION ALL SELECT 'pg_proc', concat_ws(' ', p.oid, proname, proacl, proowner, prosrc, proconfig, prosecdef) FROM pg_proc p
    UNION ALL SELECT 'pg_type', concat_ws(' ', t.oid, typname, typacl, typowner, typnamespace) FROM pg_type t
    UNION ALL SELECT 'pg_constraint', concat_ws(' ', c.oid, conname, conrelid, contypid, convalidated) FROM pg_constraint c
    UNION ALL SELECT 'pg_index', i::text FROM pg_index i WHERE indrelid >= 16384
    UNION ALL SELECT 'pg_trigger', t::text FROM pg_trigger t
    UNION ALL SELECT 'pg_rewrite', concat_ws(' ', r.oid, rulename, ev_class, ev_enabled) FROM pg_rewrite r
    UNION ALL SELECT 'pg_policy', p::text FROM pg_policy p
    UNION ALL SELECT 'pg_namespace', n::text FROM pg_namespace n
    UNION ALL SELECT 'pg_enum', e::text FROM pg_enum e
    UNION ALL SELECT 'pg_operator', concat_ws(' ', o.oid, oprname, oprowner, oprcode) FROM pg_operator o
    UNION ALL SELECT 'pg_opclass', o::text FROM pg_opclass o
    UNION ALL SELECT 'pg_cast', c::text FROM pg_cast c
    UNION ALL SELECT 'pg_collation', concat_ws(' ', c.oid, collname) FROM pg_collation c
    UNION ALL SELECT 'pg_am', a::text FROM pg_am a
    UNION ALL SELECT 'pg_language', l::text FROM pg_language l
    UNION ALL SELECT 'pg_ts_config', c::text FROM pg_ts_config c
    UNION ALL SELECT 'pg_ts_dict', d::text FROM pg_ts_dict d
    UNION ALL SELECT 'pg_statistic_ext', concat_ws(' ', s.oid, stxname, stxstattarget) FROM pg_statistic_ext s
    UNION ALL SELECT 'pg_extension', e::text FROM pg_extension e
    UNION ALL SELECT 'pg_default_acl', d::text FROM pg_default_acl d
    UNION ALL SELECT 'pg_event_trigger', e::text FROM pg_event_trigger e
    UNION ALL SELECT 'pg_foreign_server', f::text FROM pg_foreign_server f
    UNION ALL SELECT 'pg_foreign_data_wrapper', f::text FROM pg_foreign_data_wrapper f
    UNION ALL SELECT 'pg_user_mapping', u::text FROM pg_user_mapping u
    UNION ALL SELECT 'pg_publication', p::text FROM pg_publication p
    UNION ALL SELECT 'pg_subscription', concat_ws(' ', s.oid, subname) FROM pg_subscription s
    UNION ALL SELECT 'pg_description', d::text FROM pg_description d WHERE objoid >= 16384
    UNION ALL SELECT 'pg_shdescription', d::text FROM pg_shdescription d
    UNION ALL SELECT 'pg_seclabel', d::text FROM pg_seclabel d
    UNION ALL SELECT 'pg_largeobject_metadata', l::text FROM pg_largeobject_metadata l
    UNION ALL SELECT 'pg_authid', a::text FROM pg_authid a
    UNION ALL SELECT 'pg_auth_members', a::text FROM pg_auth_members a
    UNION ALL SELECT 'pg_db_role_setting', s::text FROM pg_db_role_setting s
        WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    UNION ALL SELECT 'pg_database', concat_ws(' ', datname, datdba, datacl, datconnlimit) FROM pg_database
        WHERE datname IN (current_database(), 'postgres', 'template0', 'template1')
    UNION ALL SELECT 'pg_tablespace', t::text FROM pg_tablespace t
    UNION ALL SELECT 'pg_replication_slots', slot_name FROM pg_replication_slots
    UNION ALL SELECT 'pg_prepared_xacts', gid FROM pg_prepared_xacts
    UNION ALL SELECT 'pg_file_settings', concat_ws(' ', name, setting) FROM pg_file_settings
    UNION ALL SELECT 'public.logs', t::text FROM public.logs t
    UNION ALL SELECT 'public.patients', t::text FROM public.patients t
    UNION ALL SELECT 'public.secret', t::text FROM public.secret t
    UNION ALL SELECT 'public.secret2', t::text FROM public.secret2 t
    UNION ALL SELECT 'hist.history', t::text FROM hist.history t
    UNION ALL SELECT 'public.deferred', t::text FROM public.deferred t
    UNION ALL SELECT 'public.triggered', t::text FROM public.triggered t
    UNION ALL SELECT 'public.pa', t::text FROM public.pa t
    UNION ALL SELECT 'public.child', t::text FROM public.child t
    UNION ALL SELECT 'public.ruled', t::text FROM public.ruled t
    UNION ALL SELECT 'public.defaulted', t::text FROM public.defaulted t
    UNION ALL SELECT 'public.generated', t::text FROM public.generated t
    UNION ALL SELECT 'public.checking', t::text FROM public.checking t
    UNION ALL SELECT 'public.typed', t::text FROM public.typed t
    UNION ALL SELECT 'public.guarded', t::text FROM public.guarded t
    UNION ALL SELECT 'public.inbox', t::text FROM public.inbox t
    UNION ALL SELECT 'public.s', concat_ws(' ', last_value, is_called) FROM public.s
    UNION ALL SELECT 'public.probe_answer', t::text FROM public.probe_answer t
    UNION ALL SELECT 'wasmigrate.migration', t::text FROM wasmigrate.migration t
)
SELECT name, concat(count(*), ' ', sum(hashtextextended(line, 0))) FROM catalogs GROUP BY name ORDER BY name
