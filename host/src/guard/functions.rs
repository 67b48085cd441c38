//! The function allow-list: the built-in functions that a migration's SQL may call without a grant.
//!
//! On it are names of `pg_catalog`, of PostgreSQL 14 to 18 together, whose every overload in each of
//! these versions is IMMUTABLE or STABLE and works on its arguments alone: strings, numbers, dates,
//! JSON, XML, arrays, ranges, regular expressions, hashes, text search, geometry, networks,
//! aggregates, window functions, sets, and what the built-in casts call. Then a curated few that are
//! VOLATILE only because each call has another result: clocks and randomness. Then `current_user`,
//! `session_user`, `current_database`, `current_schema` and `version`: columns' defaults are made of
//! them, and they reach nothing.
//!
//! Not on it is what reads files, runs SQL from text, reads or changes settings, locks, notifies,
//! signals, sleeps, touches WAL, replication, backups, snapshots, large objects or statistics; what
//! shows another object or session, by name or by oid (`format_type` lists every table's row type,
//! and so does `pg_typeof`, whose result an oid can be coerced to); what takes a type's name as text
//! (`pg_input_is_valid` runs a domain's CHECK); input and output functions, and what only implements
//! an operator, an operator class or an aggregate: one gets there by the operator, the class, the
//! aggregate. Sequences have a grant of their own.
//!
//! The table is what `functions.sql`, beside this file, answers on a server of each version; its
//! head says how to run it. A name that is missing is denied, so the functions of a new version stay
//! out until somebody has looked at them.
//!
//! It is about names, because a text shows nothing else. So it holds only under
//! `search_path = pg_catalog, pg_temp` (functions are never looked for in `pg_temp`), and only where
//! nobody has added overloads to `pg_catalog`.

/// Those of [`ALLOWED`] that are VOLATILE in some version, as each call has another result.
pub const VOLATILE: &[&str] = &[
    "array_sample",
    "array_shuffle",
    "clock_timestamp",
    "gen_random_uuid",
    "random",
    "random_normal",
    "timeofday",
    "timezone",
    "uuidv4",
    "uuidv7",
];

/// Names that may be called without a grant, in ASCII order.
#[rustfmt::skip]
pub const ALLOWED: &[&str] = &[
    "abbrev", "abs", "acos", "acosd", "acosh", "age", "any_value", "area", "array_agg",
    "array_append", "array_cat", "array_dims", "array_fill", "array_length", "array_lower",
    "array_ndims", "array_position", "array_positions", "array_prepend", "array_remove",
    "array_replace", "array_reverse", "array_sample", "array_shuffle", "array_sort",
    "array_to_json", "array_to_string", "array_to_tsvector", "array_upper", "ascii", "asin",
    "asind", "asinh", "atan", "atan2", "atan2d", "atand", "atanh", "avg", "bit", "bit_and",
    "bit_count", "bit_length", "bit_or", "bit_xor", "bool", "bool_and", "bool_or", "bound_box",
    "box", "bpchar", "broadcast", "btrim", "bytea", "cardinality", "casefold", "cbrt", "ceil",
    "ceiling", "center", "char", "char_length", "character_length", "chr", "cidr", "circle",
    "clock_timestamp", "concat", "concat_ws", "convert", "convert_from", "convert_to", "corr",
    "cos", "cosd", "cosh", "cot", "cotd", "count", "covar_pop", "covar_samp", "crc32", "crc32c",
    "cume_dist", "current_database", "current_schema", "current_user", "date", "date_add",
    "date_bin", "date_part", "date_subtract", "date_trunc", "datemultirange", "daterange",
    "decode", "degrees", "dense_rank", "diagonal", "diameter", "div", "encode", "enum_first",
    "enum_last", "enum_range", "erf", "erfc", "every", "exp", "extract", "factorial", "family",
    "first_value", "float4", "float8", "floor", "format", "gamma", "gcd", "gen_random_uuid",
    "generate_series", "generate_subscripts", "get_bit", "get_byte", "getdatabaseencoding",
    "hashint4", "hashint8", "hashtext", "hashtextextended", "height", "host", "hostmask",
    "inet_merge", "inet_same_family", "initcap", "int2", "int4", "int4multirange", "int4range",
    "int8", "int8multirange", "int8range", "interval", "is_normalized", "isclosed", "isempty",
    "isfinite", "ishorizontal", "isopen", "isparallel", "isperp", "isvertical", "json_agg",
    "json_agg_strict", "json_array_elements", "json_array_elements_text", "json_array_length",
    "json_build_array", "json_build_object", "json_each", "json_each_text", "json_extract_path",
    "json_extract_path_text", "json_object", "json_object_agg", "json_object_agg_strict",
    "json_object_agg_unique", "json_object_agg_unique_strict", "json_object_keys",
    "json_strip_nulls", "json_to_record", "json_to_recordset", "json_to_tsvector", "json_typeof", "jsonb_agg", "jsonb_agg_strict",
    "jsonb_array_elements", "jsonb_array_elements_text", "jsonb_array_length", "jsonb_build_array",
    "jsonb_build_object", "jsonb_each", "jsonb_each_text", "jsonb_extract_path",
    "jsonb_extract_path_text", "jsonb_insert", "jsonb_object", "jsonb_object_agg",
    "jsonb_object_agg_strict", "jsonb_object_agg_unique", "jsonb_object_agg_unique_strict",
    "jsonb_object_keys", "jsonb_path_exists", "jsonb_path_exists_tz", "jsonb_path_match",
    "jsonb_path_match_tz", "jsonb_path_query", "jsonb_path_query_array",
    "jsonb_path_query_array_tz", "jsonb_path_query_first", "jsonb_path_query_first_tz",
    "jsonb_path_query_tz", "jsonb_pretty", "jsonb_set", "jsonb_set_lax", "jsonb_strip_nulls",
    "jsonb_to_record", "jsonb_to_recordset", "jsonb_to_tsvector", "jsonb_typeof", "justify_days",
    "justify_hours", "justify_interval", "lag", "last_value", "lcm", "lead", "left", "length",
    "lgamma", "like_escape", "line", "ln", "log", "log10", "lower", "lower_inc", "lower_inf",
    "lpad", "lseg", "ltrim", "macaddr", "macaddr8", "macaddr8_set7bit", "make_date",
    "make_interval", "make_time", "make_timestamp", "make_timestamptz", "masklen", "max", "md5",
    "min", "min_scale", "mod", "mode", "money", "multirange", "name", "netmask", "network",
    "normalize", "now", "npoints", "nth_value", "ntile", "num_nonnulls", "num_nulls", "numeric",
    "nummultirange", "numnode", "numrange", "octet_length", "oid", "overlaps", "overlay",
    "parse_ident", "path", "pclose", "percent_rank", "percentile_cont", "percentile_disc",
    "pg_collation_for", "pg_column_compression", "pg_column_size", "pg_size_bytes",
    "pg_size_pretty", "pg_trigger_depth", "phraseto_tsquery", "pi", "plainto_tsquery", "point",
    "polygon", "popen", "position", "pow", "power", "querytree", "quote_ident", "quote_literal",
    "quote_nullable", "radians", "radius", "random", "random_normal", "range_agg",
    "range_intersect_agg", "range_merge", "rank", "regexp_count", "regexp_instr", "regexp_like",
    "regexp_match", "regexp_matches", "regexp_replace", "regexp_split_to_array",
    "regexp_split_to_table", "regexp_substr", "regr_avgx", "regr_avgy", "regr_count",
    "regr_intercept", "regr_r2", "regr_slope", "regr_sxx", "regr_sxy", "regr_syy", "repeat",
    "replace", "reverse", "right", "round", "row_number", "row_to_json", "rpad", "rtrim", "scale",
    "session_user", "set_bit", "set_byte", "set_masklen", "setweight", "sha224", "sha256",
    "sha384", "sha512", "sign", "similar_escape", "similar_to_escape", "sin", "sind", "sinh",
    "slope", "split_part", "sqrt", "starts_with", "statement_timestamp", "stddev", "stddev_pop",
    "stddev_samp", "string_agg", "string_to_array", "string_to_table", "strip", "strpos", "substr",
    "substring", "sum", "tan", "tand", "tanh", "text", "time", "timeofday", "timestamp",
    "timestamptz", "timetz", "timezone", "to_ascii", "to_bin", "to_char", "to_date", "to_hex",
    "to_json", "to_jsonb", "to_number", "to_oct", "to_timestamp", "to_tsquery", "to_tsvector",
    "transaction_timestamp", "translate", "trim_array", "trim_scale", "trunc", "ts_delete",
    "ts_filter", "ts_headline", "ts_lexize", "ts_parse", "ts_rank", "ts_rank_cd", "ts_token_type",
    "tsmultirange", "tsquery_phrase", "tsrange", "tstzmultirange", "tstzrange",
    "tsvector_to_array", "unicode_assigned", "unistr", "unnest", "upper", "upper_inc", "upper_inf",
    "uuid_extract_timestamp", "uuid_extract_version", "uuidv4", "uuidv7", "var_pop", "var_samp",
    "varbit", "varchar", "variance", "version", "websearch_to_tsquery", "width", "width_bucket",
    "xid", "xml", "xml_is_well_formed", "xml_is_well_formed_content",
    "xml_is_well_formed_document", "xmlagg", "xmlcomment", "xmlexists", "xmltext", "xpath",
    "xpath_exists",
];

/// Whether a function of `pg_catalog`, by its name as the parser folds it, may be called without a grant.
pub fn allowed(name: &str) -> bool {
    ALLOWED.binary_search(&name).is_ok()
}

/// What may stand in what is defined already, though no text of a guest's may call it: it tells the text that runs.
const IN_DEFINITIONS: &[&str] = &["current_query"];

/// The same of a function that a definition calls.
pub fn allowed_in_definition(name: &str) -> bool {
    allowed(name) || IN_DEFINITIONS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of them is a function of some version from 14 to 18.
    #[rustfmt::skip]
    const DANGEROUS: &[&str] = &[
        // files and programs
        "pg_read_file pg_read_binary_file pg_read_file_old pg_ls_dir pg_ls_logdir pg_ls_waldir \
         pg_ls_tmpdir pg_ls_archive_statusdir pg_ls_replslotdir pg_ls_logicalsnapdir \
         pg_ls_logicalmapdir pg_ls_summariesdir pg_stat_file pg_current_logfile \
         pg_hba_file_rules pg_ident_file_mappings pg_show_all_file_settings \
         pg_relation_filepath pg_relation_filenode pg_filenode_relation pg_timezone_names \
         pg_config pg_get_loaded_modules",
        // SQL from text
        "query_to_xml query_to_xml_and_xmlschema query_to_xmlschema table_to_xml \
         table_to_xml_and_xmlschema table_to_xmlschema schema_to_xml \
         schema_to_xml_and_xmlschema schema_to_xmlschema database_to_xml \
         database_to_xml_and_xmlschema database_to_xmlschema cursor_to_xml cursor_to_xmlschema \
         ts_stat ts_rewrite pg_input_is_valid pg_input_error_info",
        // settings
        "set_config current_setting setseed pg_show_all_settings pg_settings_get_flags \
         pg_reload_conf pg_conf_load_time get_current_ts_config",
        // locks, signals, sleep, messages
        "pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all \
         pg_advisory_unlock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared \
         pg_try_advisory_lock pg_try_advisory_lock_shared pg_try_advisory_xact_lock \
         pg_try_advisory_xact_lock_shared pg_notify pg_listening_channels \
         pg_notification_queue_usage pg_cancel_backend pg_terminate_backend pg_sleep \
         pg_sleep_for pg_sleep_until pg_log_backend_memory_contexts pg_rotate_logfile \
         pg_promote pg_isolation_test_session_is_blocked",
        // large objects
        "lo_import lo_export lo_create lo_creat lo_open lo_close lo_get lo_put lo_unlink \
         lo_from_bytea lo_lseek lo_lseek64 lo_tell lo_tell64 lo_truncate lo_truncate64 loread \
         lowrite",
        // sequences: by their own grant
        "nextval currval setval lastval pg_sequence_last_value pg_sequence_parameters \
         pg_get_sequence_data pg_get_serial_sequence",
        // WAL, replication, backup, snapshots
        "pg_switch_wal pg_create_restore_point pg_current_wal_lsn pg_walfile_name \
         pg_wal_replay_pause pg_wal_replay_resume pg_logical_emit_message \
         pg_create_physical_replication_slot pg_create_logical_replication_slot \
         pg_drop_replication_slot pg_logical_slot_get_changes pg_logical_slot_peek_changes \
         pg_replication_slot_advance pg_replication_origin_create pg_replication_origin_drop \
         pg_sync_replication_slots pg_start_backup pg_stop_backup pg_backup_start \
         pg_backup_stop pg_export_snapshot pg_current_snapshot pg_current_xact_id \
         pg_log_standby_snapshot pg_is_in_recovery pg_control_system pg_control_checkpoint \
         txid_current txid_current_snapshot txid_status pg_xact_status pg_last_committed_xact \
         pg_split_walfile_name pg_available_wal_summaries pg_get_wal_resource_managers",
        // sessions and server
        "pg_stat_get_activity pg_stat_get_backend_activity pg_stat_get_backend_client_addr \
         pg_stat_get_wal_senders pg_stat_reset pg_stat_clear_snapshot pg_lock_status \
         pg_blocking_pids pg_prepared_xact pg_prepared_statement pg_cursor current_query \
         inet_server_addr inet_server_port inet_client_addr inet_client_port pg_backend_pid \
         pg_postmaster_start_time system_user getpgusername current_schemas \
         pg_get_backend_memory_contexts pg_get_shmem_allocations pg_get_aios \
         pg_stat_get_live_tuples pg_get_replication_slots",
        // other objects
        "pg_get_functiondef pg_get_viewdef pg_get_indexdef pg_get_constraintdef \
         pg_get_triggerdef pg_get_ruledef pg_get_expr pg_get_userbyid pg_get_publication_tables \
         pg_describe_object pg_identify_object pg_identify_object_as_address \
         pg_get_object_address pg_get_acl to_regclass to_regproc to_regprocedure to_regtype \
         to_regrole to_regnamespace to_regoper to_regoperator regclass format_type \
         oidvectortypes obj_description col_description shobj_description pg_relation_size \
         pg_table_size pg_total_relation_size pg_indexes_size pg_database_size \
         pg_tablespace_size pg_tablespace_location pg_tablespace_databases pg_partition_tree \
         pg_partition_root pg_partition_ancestors pg_table_is_visible pg_column_toast_chunk_id \
         pg_typeof pg_basetype pg_available_extensions pg_mcv_list_items \
         satisfies_hash_partition ts_debug row_security_active pg_index_has_property",
        // privileges
        "has_table_privilege has_column_privilege has_any_column_privilege has_schema_privilege \
         has_function_privilege has_database_privilege has_sequence_privilege \
         has_parameter_privilege has_largeobject_privilege pg_has_role aclexplode acldefault \
         makeaclitem",
        // maintenance and statistics
        "brin_summarize_new_values brin_summarize_range brin_desummarize_range \
         gin_clean_pending_list pg_import_system_collations pg_extension_config_dump \
         pg_clear_relation_stats pg_restore_relation_stats pg_clear_attribute_stats pg_nextoid \
         binary_upgrade_set_next_pg_type_oid binary_upgrade_create_empty_extension \
         pg_stop_making_pinned_objects pg_event_trigger_ddl_commands",
        // internals
        "textin textout int4in int4out record_in record_out array_in array_recv regclassin \
         regclassout regprocin regrolein int4send textsend domain_in cstring_in bthandler \
         ginhandler eqsel system bernoulli plpgsql_call_handler plpgsql_inline_handler \
         fmgr_sql_validator fmgr_c_validator amvalidate RI_FKey_cascade_del \
         suppress_redundant_updates_trigger tsvector_update_trigger int8inc texteq textcat \
         int4pl",
    ];

    const USEFUL: &str = "count sum avg min max string_agg array_agg bool_and bool_or every bit_and json_agg \
        jsonb_agg json_object_agg jsonb_object_agg percentile_cont mode any_value row_number \
        rank dense_rank ntile lag lead first_value last_value nth_value lower upper initcap \
        length char_length octet_length substring substr position strpos overlay btrim ltrim \
        rtrim lpad rpad left right replace translate split_part reverse repeat concat concat_ws \
        format starts_with string_to_array string_to_table md5 sha256 sha512 encode decode \
        ascii chr to_hex quote_ident quote_literal quote_nullable like_escape similar_to_escape \
        normalize is_normalized regexp_replace regexp_match regexp_matches \
        regexp_split_to_array regexp_split_to_table regexp_like regexp_count to_char to_date \
        to_timestamp to_number now clock_timestamp statement_timestamp transaction_timestamp \
        timeofday date_trunc date_part date_bin extract age make_date make_interval \
        make_timestamptz justify_interval timezone overlaps isfinite abs ceil floor round trunc \
        sqrt power mod div ln log exp sign random random_normal width_bucket generate_series \
        generate_subscripts unnest array_length array_append array_prepend array_cat \
        array_remove array_position array_to_string cardinality to_json to_jsonb row_to_json \
        json_build_object jsonb_build_object jsonb_build_array json_object jsonb_set \
        jsonb_insert jsonb_each jsonb_array_elements jsonb_array_elements_text \
        jsonb_to_recordset jsonb_path_query jsonb_path_exists \
        jsonb_typeof jsonb_pretty jsonb_strip_nulls to_tsvector to_tsquery plainto_tsquery \
        phraseto_tsquery websearch_to_tsquery ts_rank ts_rank_cd ts_headline setweight strip \
        tsvector_to_array gen_random_uuid uuidv4 uuidv7 uuid_extract_timestamp int4range \
        tstzrange daterange range_merge range_agg isempty lower_inc upper_inf enum_range \
        enum_first host masklen network inet_merge xpath xmlexists xmlagg num_nulls \
        num_nonnulls pg_collation_for pg_column_size pg_size_pretty hashtext hashtextextended \
        parse_ident current_user session_user current_database current_schema version \
        convert_from convert_to set_bit get_byte bit_count array_sort array_shuffle crc32 \
        casefold point box circle area numeric int8 text timestamptz date bool varchar interval";

    #[test]
    fn the_table_is_sorted_and_unique() {
        let unsorted: Vec<_> = ALLOWED
            .windows(2)
            .filter(|pair| pair[0] >= pair[1])
            .collect();
        assert!(unsorted.is_empty(), "{unsorted:?}");
    }

    #[test]
    fn names_are_as_the_parser_folds_them() {
        let odd: Vec<_> = ALLOWED
            .iter()
            .filter(|name| {
                !name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            })
            .collect();
        assert!(odd.is_empty(), "{odd:?}");
        assert!(
            !allowed("LOWER") && !allowed("") && !allowed("lower ") && !allowed("pg_catalog.lower")
        );
    }

    #[test]
    fn dangerous_functions_are_absent() {
        let names: Vec<&str> = DANGEROUS
            .iter()
            .flat_map(|group| group.split_whitespace())
            .collect();
        assert!(names.len() >= 120, "{}", names.len());
        let present: Vec<_> = names.iter().filter(|name| ALLOWED.contains(name)).collect();
        assert!(present.is_empty(), "{present:?}");
    }

    #[test]
    fn useful_functions_are_present() {
        let names: Vec<&str> = USEFUL
            .split_whitespace()
            .chain(VOLATILE.iter().copied())
            .collect();
        assert!(names.len() >= 100, "{}", names.len());
        let absent: Vec<_> = names.iter().filter(|name| !allowed(name)).collect();
        assert!(absent.is_empty(), "{absent:?}");
    }

    // what the grammar turns into calls of pg_catalog functions without the user writing their names
    #[test]
    fn the_grammars_own_calls_are_present() {
        let names = "btrim extract is_normalized json_object like_escape ltrim normalize overlaps overlay \
            pg_collation_for position rtrim similar_to_escape substring timezone xmlexists";
        let absent: Vec<_> = names
            .split_whitespace()
            .filter(|name| !allowed(name))
            .collect();
        assert!(absent.is_empty(), "{absent:?}");
    }

    // whole families, so that one careless addition is noticed
    #[test]
    fn pg_functions_are_a_short_list() {
        let pg: Vec<_> = ALLOWED
            .iter()
            .filter(|name| name.starts_with("pg_"))
            .collect();
        assert_eq!(pg.len(), 6, "{pg:?}");
        let families = [
            "has_",
            "lo_",
            "to_reg",
            "txid_",
            "acl",
            "inet_c",
            "inet_s",
            "current_s",
        ];
        for family in families {
            let found: Vec<_> = ALLOWED
                .iter()
                .filter(|name| name.starts_with(family))
                .filter(|name| !["current_schema", "inet_same_family"].contains(name))
                .collect();
            assert!(found.is_empty(), "{family}: {found:?}");
        }
    }
}
