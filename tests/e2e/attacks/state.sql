-- Everything that an attack could have changed, as a line each: a name and a number. A row of a catalog is told by
-- the transaction that wrote it, which is as good as its text and quicker; where the run's role was granted something, by
-- its text, in which no privileges are the same as the usual ones. Temporary schemas stay for the next session that needs
-- them. The probe's own script and what the host records about runs are no part of it.
SELECT 'pg_class' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_class WHERE oid < 16384
UNION ALL SELECT 'pg_attribute' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_attribute WHERE attrelid < 16384
UNION ALL SELECT 'pg_attrdef' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_attrdef
UNION ALL SELECT 'pg_proc' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_proc WHERE oid < 16384
UNION ALL SELECT 'pg_type' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_type WHERE oid < 16384
UNION ALL SELECT 'pg_constraint' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_constraint
UNION ALL SELECT 'pg_index' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_index
UNION ALL SELECT 'pg_inherits' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_inherits
UNION ALL SELECT 'pg_depend' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_depend
UNION ALL SELECT 'pg_trigger' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_trigger
UNION ALL SELECT 'pg_rewrite' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_rewrite
UNION ALL SELECT 'pg_policy' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_policy
UNION ALL SELECT 'pg_namespace' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_namespace WHERE oid < 16384
UNION ALL SELECT 'pg_enum' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_enum
UNION ALL SELECT 'pg_sequence' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_sequence
UNION ALL SELECT 'pg_operator' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_operator
UNION ALL SELECT 'pg_opclass' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_opclass
UNION ALL SELECT 'pg_opfamily' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_opfamily
UNION ALL SELECT 'pg_amop' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_amop
UNION ALL SELECT 'pg_amproc' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_amproc
UNION ALL SELECT 'pg_aggregate' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_aggregate
UNION ALL SELECT 'pg_cast' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_cast
UNION ALL SELECT 'pg_range' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_range
UNION ALL SELECT 'pg_collation' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_collation
UNION ALL SELECT 'pg_conversion' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_conversion
UNION ALL SELECT 'pg_am' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_am
UNION ALL SELECT 'pg_language' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_language
UNION ALL SELECT 'pg_transform' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_transform
UNION ALL SELECT 'pg_ts_config' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_ts_config
UNION ALL SELECT 'pg_ts_config_map' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_ts_config_map
UNION ALL SELECT 'pg_ts_dict' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_ts_dict
UNION ALL SELECT 'pg_ts_parser' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_ts_parser
UNION ALL SELECT 'pg_ts_template' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_ts_template
UNION ALL SELECT 'pg_statistic_ext' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_statistic_ext
UNION ALL SELECT 'pg_partitioned_table' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_partitioned_table
UNION ALL SELECT 'pg_extension' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_extension
UNION ALL SELECT 'pg_default_acl' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_default_acl
UNION ALL SELECT 'pg_init_privs' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_init_privs
UNION ALL SELECT 'pg_event_trigger' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_event_trigger
UNION ALL SELECT 'pg_foreign_data_wrapper' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_foreign_data_wrapper
UNION ALL SELECT 'pg_foreign_server' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_foreign_server
UNION ALL SELECT 'pg_foreign_table' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_foreign_table
UNION ALL SELECT 'pg_user_mapping' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_user_mapping
UNION ALL SELECT 'pg_publication' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_publication
UNION ALL SELECT 'pg_publication_rel' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_publication_rel
UNION ALL SELECT 'pg_description' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_description
UNION ALL SELECT 'pg_seclabel' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_seclabel
UNION ALL SELECT 'pg_largeobject_metadata' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_largeobject_metadata
UNION ALL SELECT 'pg_largeobject' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_largeobject
UNION ALL SELECT 'pg_authid' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_authid
UNION ALL SELECT 'pg_auth_members' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_auth_members
UNION ALL SELECT 'pg_shseclabel' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_shseclabel
UNION ALL SELECT 'pg_tablespace' AS name, concat(count(*), ' ', sum(xmin::text::bigint)) AS state FROM pg_tablespace
UNION ALL SELECT 'pg_subscription', concat(count(*), ' ', sum(xmin::text::bigint)) FROM pg_subscription
    WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
UNION ALL SELECT 'pg_db_role_setting', string_agg(s::text, ' ' ORDER BY s::text) FROM pg_db_role_setting AS s
    WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
UNION ALL SELECT 'pg_database', string_agg(concat_ws(' ', datname, datdba, datacl, datconnlimit), ' ' ORDER BY datname) FROM pg_database
    WHERE datname IN (current_database(), 'postgres', 'template0', 'template1')
UNION ALL SELECT 'pg_replication_slots', concat(count(*)) FROM pg_replication_slots
UNION ALL SELECT 'pg_prepared_xacts', concat(count(*)) FROM pg_prepared_xacts WHERE database = current_database()
UNION ALL SELECT 'pg_file_settings', string_agg(concat_ws(' ', name, setting), ' ' ORDER BY seqno) FROM pg_file_settings
UNION ALL SELECT 'public.s', concat_ws(' ', last_value, is_called) FROM public.s
UNION ALL SELECT 'public.logs', string_agg(t::text, ' ' ORDER BY t::text) FROM public.logs AS t
UNION ALL SELECT 'public.patients', string_agg(t::text, ' ' ORDER BY t::text) FROM public.patients AS t
UNION ALL SELECT 'public.secret', string_agg(t::text, ' ' ORDER BY t::text) FROM public.secret AS t
UNION ALL SELECT 'public.secret2', string_agg(t::text, ' ' ORDER BY t::text) FROM public.secret2 AS t
UNION ALL SELECT 'public.deferred', string_agg(t::text, ' ' ORDER BY t::text) FROM public.deferred AS t
UNION ALL SELECT 'public.triggered', string_agg(t::text, ' ' ORDER BY t::text) FROM public.triggered AS t
UNION ALL SELECT 'public.pa', string_agg(t::text, ' ' ORDER BY t::text) FROM public.pa AS t
UNION ALL SELECT 'public.child', string_agg(t::text, ' ' ORDER BY t::text) FROM public.child AS t
UNION ALL SELECT 'public.ruled', string_agg(t::text, ' ' ORDER BY t::text) FROM public.ruled AS t
UNION ALL SELECT 'public.defaulted', string_agg(t::text, ' ' ORDER BY t::text) FROM public.defaulted AS t
UNION ALL SELECT 'public.generated', string_agg(t::text, ' ' ORDER BY t::text) FROM public.generated AS t
UNION ALL SELECT 'public.checking', string_agg(t::text, ' ' ORDER BY t::text) FROM public.checking AS t
UNION ALL SELECT 'public.typed', string_agg(t::text, ' ' ORDER BY t::text) FROM public.typed AS t
UNION ALL SELECT 'public.guarded', string_agg(t::text, ' ' ORDER BY t::text) FROM public.guarded AS t
UNION ALL SELECT 'public.inbox', string_agg(t::text, ' ' ORDER BY t::text) FROM public.inbox AS t
UNION ALL SELECT 'public.probe_answer', string_agg(t::text, ' ' ORDER BY t::text) FROM public.probe_answer AS t
UNION ALL SELECT 'hist.history', string_agg(t::text, ' ' ORDER BY t::text) FROM hist.history AS t
UNION ALL SELECT 'wasmigrate.migration', string_agg(t::text, ' ' ORDER BY t::text) FROM wasmigrate.migration AS t
UNION ALL SELECT 'pg_class of users', concat(count(*), ' ', sum(hashtext(concat(to_jsonb(t) - 'relacl' - 'relfrozenxid' - 'relminmxid' - 'relpages' - 'reltuples' - 'relallvisible' - 'relallfrozen', coalesce(relacl, acldefault('r', relowner)))))) FROM pg_class AS t
    WHERE oid >= 16384
UNION ALL SELECT 'pg_attribute of users', concat(count(*), ' ', sum(hashtext(concat(to_jsonb(t) - 'attacl', coalesce(attacl, '{}'))))) FROM pg_attribute AS t
    WHERE attrelid >= 16384
UNION ALL SELECT 'pg_proc of users', concat(count(*), ' ', sum(hashtext(concat(to_jsonb(t) - 'proacl', coalesce(proacl, acldefault('f', proowner)))))) FROM pg_proc AS t
    WHERE oid >= 16384
UNION ALL SELECT 'pg_type of users', concat(count(*), ' ', sum(hashtext(concat(to_jsonb(t) - 'typacl', coalesce(typacl, acldefault('T', typowner)))))) FROM pg_type AS t
    WHERE oid >= 16384
UNION ALL SELECT 'pg_namespace of users', concat(count(*), ' ', sum(hashtext(concat(to_jsonb(t) - 'nspacl', coalesce(nspacl, acldefault('n', nspowner)))))) FROM pg_namespace AS t
    WHERE oid >= 16384 AND nspname !~ '^pg_(toast_)?temp_'
