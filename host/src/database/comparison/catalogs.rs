//! The catalogs that are compared. Data alone.
//!
//! A class here is a line of a table. `content` is what counts as a change of an object; what the server
//! itself keeps in a row (statistics, frozen transaction ids) is left out. An ACL that is NULL means the
//! default, and GRANT followed by REVOKE leaves the default written out, so both are read alike.

/// A catalog and how its rows are read; `t` is the row.
pub(super) struct Catalog {
    /// What its objects are called.
    pub class: &'static str,
    pub table: &'static str,
    /// What names a row, for as long as it lives.
    pub key: &'static str,
    /// The address that `pg_identify_object` takes; without it, how the row is called.
    pub address: Address,
    /// Which rows count.
    pub filter: &'static str,
    /// A JSON object of what is compared.
    pub content: &'static str,
    /// What else may explain a row, where no extension does; an expression of JSON.
    pub explained: &'static str,
    /// Whether it is a view or so small that it is compared as a whole, as its rows have no `xmin`.
    pub whole: bool,
    /// The first release that has it, and whether only a superuser may read it (`Some(true)`), or it is read in
    /// place of such a one (`Some(false)`).
    pub since: u32,
    pub superuser: Option<bool>,
}

pub(super) enum Address {
    /// The object has an oid of that expression in this catalog.
    Oid(&'static str),
    /// A column of the relation: oid and number.
    Column(&'static str, &'static str),
    /// It has none: the text says what it is. For what it belongs to, the catalog and the oid.
    Words(&'static str, Option<(&'static str, &'static str)>),
}

/// A catalog whose rows have an oid and are compared in all their columns.
const PLAIN: Catalog = Catalog {
    class: "",
    table: "",
    key: "t.oid",
    address: Address::Oid("t.oid"),
    filter: "true",
    content: "to_jsonb(t)",
    explained: "NULL::jsonb",
    whole: false,
    since: 14,
    superuser: None,
};

const fn plain(class: &'static str, table: &'static str) -> Catalog {
    Catalog {
        class,
        table,
        ..PLAIN
    }
}

/// An owner and an ACL that is read with its default.
macro_rules! acl {
    ($column:literal, $letter:literal, $owner:literal) => {
        concat!(
            "(SELECT jsonb_agg(x::text ORDER BY x::text) FROM unnest(coalesce(",
            $column,
            ", acldefault('",
            $letter,
            "', ",
            $owner,
            "))) x)"
        )
    };
}

/// The name of a relation, quoted where need be; it takes no lock on it.
macro_rules! relation {
    ($oid:literal) => {
        concat!(
            "(SELECT format('%I.%I', rn.nspname, rc.relname) FROM pg_class rc \
             JOIN pg_namespace rn ON rn.oid = rc.relnamespace WHERE rc.oid = ",
            $oid,
            ")"
        )
    };
}

/// A relation and those of which it is a partition, as a JSON array of names.
macro_rules! family {
    ($oid:literal) => {
        concat!(
            "(SELECT coalesce(jsonb_agg(format('%I.%I', rn.nspname, rc.relname)), '[]') FROM pg_class rc \
             JOIN pg_namespace rn ON rn.oid = rc.relnamespace WHERE rc.oid = ",
            $oid,
            " OR rc.oid IN (SELECT relid FROM pg_partition_ancestors(",
            $oid,
            ") AS a (relid)))"
        )
    };
}

/// All of them.
pub(super) const CATALOGS: &[Catalog] = &[
    Catalog {
        filter: "t.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')",
        content: concat!(
            "jsonb_build_object('name', t.relname, 'schema', t.relnamespace::regnamespace, \
             'kind', t.relkind, 'owner', t.relowner::regrole, 'options', t.reloptions, \
             'row security', t.relrowsecurity, 'forced row security', t.relforcerowsecurity, \
             'of type', t.reloftype, 'access method', t.relam, 'acl', CASE t.relkind WHEN 'S' THEN ",
            acl!("t.relacl", "s", "t.relowner"),
            " ELSE ",
            acl!("t.relacl", "r", "t.relowner"),
            " END)"
        ),
        explained: concat!(
            "(SELECT jsonb_build_object('relation', ",
            relation!("d.refobjid"),
            ") FROM pg_depend d WHERE t.relkind = 'S' AND d.classid = 'pg_class'::regclass \
             AND d.objid = t.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') LIMIT 1)"
        ),
        ..plain("relation", "pg_class")
    },
    Catalog {
        key: "t.attrelid || '.' || t.attnum",
        address: Address::Column("t.attrelid", "t.attnum"),
        filter: "t.attacl IS NOT NULL AND NOT t.attisdropped",
        content: "jsonb_build_object('acl', t.attacl::text)",
        ..plain("column acl", "pg_attribute")
    },
    Catalog {
        explained: concat!(
            "(SELECT jsonb_build_object('constraint', jsonb_build_object('name', k.conname, 'tables', ",
            family!("k.conrelid"),
            ", 'referenced', ",
            family!("k.confrelid"),
            ")) FROM pg_constraint k WHERE t.tgisinternal AND k.oid = t.tgconstraint)"
        ),
        ..plain("trigger", "pg_trigger")
    },
    Catalog {
        explained: concat!(
            "CASE WHEN t.rulename = '_RETURN' THEN jsonb_build_object('relation', ",
            relation!("t.ev_class"),
            ") END"
        ),
        ..plain("rule", "pg_rewrite")
    },
    plain("policy", "pg_policy"),
    Catalog {
        content: concat!(
            "to_jsonb(t) || jsonb_build_object('proacl', ",
            acl!("t.proacl", "f", "t.proowner"),
            ")"
        ),
        ..plain("function", "pg_proc")
    },
    Catalog {
        content: concat!(
            "to_jsonb(t) || jsonb_build_object('nspacl', ",
            acl!("t.nspacl", "n", "t.nspowner"),
            ")"
        ),
        // the server makes a session's temporary schemas at the first need, as for a look-up of ours; what lies in
        // one is compared
        filter: "t.nspname !~ '^pg_(toast_)?temp_[0-9]+$'",
        ..plain("schema", "pg_namespace")
    },
    Catalog {
        content: concat!(
            "to_jsonb(t) || jsonb_build_object('kind', t.typtype, 'typacl', ",
            acl!("t.typacl", "T", "t.typowner"),
            ")"
        ),
        explained: concat!(
            "CASE WHEN t.typrelid <> 0 AND (SELECT relkind <> 'c' FROM pg_class WHERE oid = t.typrelid) \
             THEN jsonb_build_object('relation', ",
            relation!("t.typrelid"),
            ") WHEN t.typelem <> 0 AND t.typcategory = 'A' THEN (SELECT CASE WHEN e.typrelid <> 0 \
             AND (SELECT relkind <> 'c' FROM pg_class WHERE oid = e.typrelid) \
             THEN jsonb_build_object('relation', ",
            relation!("e.typrelid"),
            ") ELSE coalesce((SELECT jsonb_build_object('extension', x.extname) FROM pg_depend d \
               JOIN pg_extension x ON x.oid = d.refobjid WHERE d.classid = 'pg_type'::regclass \
               AND d.objid = e.oid AND d.deptype = 'e'), \
             jsonb_build_object('type', format('%I.%I', e.typnamespace::regnamespace, e.typname))) END \
             FROM pg_type e WHERE e.oid = t.typelem) \
             WHEN t.typtype = 'm' THEN (SELECT jsonb_build_object('type', format_type(r.rngtypid, NULL)) \
             FROM pg_range r WHERE r.rngmultitypid = t.oid) END"
        ),
        ..plain("type", "pg_type")
    },
    Catalog {
        content: concat!(
            "to_jsonb(t) - 'datfrozenxid' - 'datminmxid' || jsonb_build_object('datacl', ",
            acl!("t.datacl", "d", "t.datdba"),
            ")"
        ),
        ..plain("database", "pg_database")
    },
    Catalog {
        content: concat!(
            "to_jsonb(t) || jsonb_build_object('lanacl', ",
            acl!("t.lanacl", "l", "t.lanowner"),
            ")"
        ),
        ..plain("language", "pg_language")
    },
    plain("default acl", "pg_default_acl"),
    plain("event trigger", "pg_event_trigger"),
    plain("cast", "pg_cast"),
    plain("operator", "pg_operator"),
    plain("operator class", "pg_opclass"),
    plain("operator family", "pg_opfamily"),
    plain("operator of access method", "pg_amop"),
    plain("function of access method", "pg_amproc"),
    plain("conversion", "pg_conversion"),
    plain("collation", "pg_collation"),
    plain("text search configuration", "pg_ts_config"),
    plain("text search dictionary", "pg_ts_dict"),
    plain("text search parser", "pg_ts_parser"),
    plain("text search template", "pg_ts_template"),
    plain("access method", "pg_am"),
    plain("transform", "pg_transform"),
    plain("extension", "pg_extension"),
    Catalog {
        key: "t.inhrelid || '<' || t.inhparent",
        address: Address::Words(
            concat!(
                relation!("t.inhrelid"),
                " || ' of ' || ",
                relation!("t.inhparent")
            ),
            None,
        ),
        // a partition of an index is a matter of the index
        filter: "(SELECT relkind NOT IN ('i', 'I') FROM pg_class WHERE oid = t.inhrelid)",
        ..plain("inheritance", "pg_inherits")
    },
    Catalog {
        content: "to_jsonb(t) - 'rolpassword' || jsonb_build_object('password', md5(t.rolpassword))",
        superuser: Some(true),
        ..plain("role", "pg_authid")
    },
    Catalog {
        key: "t.oid",
        address: Address::Words("t.rolname::text", None),
        whole: true,
        superuser: Some(false),
        ..plain("role", "pg_roles")
    },
    Catalog {
        key: "t.roleid || '<' || t.member || '<' || t.grantor",
        address: Address::Words(
            "format('%I in %I', pg_get_userbyid(t.member), pg_get_userbyid(t.roleid))",
            None,
        ),
        ..plain("membership", "pg_auth_members")
    },
    Catalog {
        key: "t.setdatabase || '<' || t.setrole",
        address: Address::Words(
            "format('database %s, role %s', coalesce((SELECT datname::text FROM pg_database \
             WHERE oid = t.setdatabase), '*'), coalesce((SELECT rolname::text FROM pg_roles \
             WHERE oid = t.setrole), '*'))",
            None,
        ),
        ..plain("setting", "pg_db_role_setting")
    },
    Catalog {
        since: 15,
        ..plain("parameter acl", "pg_parameter_acl")
    },
    plain("tablespace", "pg_tablespace"),
    plain("foreign data wrapper", "pg_foreign_data_wrapper"),
    plain("foreign server", "pg_foreign_server"),
    Catalog {
        superuser: Some(true),
        ..plain("user mapping", "pg_user_mapping")
    },
    // whoever may not read the mappings sees at least what a mapping depends on
    Catalog {
        key: "t.objid || '<' || t.refobjid",
        address: Address::Words("format('mapping %s', t.objid)", None),
        filter: "t.classid = 'pg_user_mapping'::regclass",
        superuser: Some(false),
        ..plain("user mapping", "pg_depend")
    },
    Catalog {
        key: "t.ftrelid",
        address: Address::Words(relation!("t.ftrelid"), None),
        ..plain("foreign table", "pg_foreign_table")
    },
    plain("publication", "pg_publication"),
    plain("publication relation", "pg_publication_rel"),
    Catalog {
        since: 15,
        ..plain("publication schema", "pg_publication_namespace")
    },
    Catalog {
        content: "jsonb_build_object('name', t.subname, 'owner', t.subowner, 'enabled', t.subenabled, \
            'slot', t.subslotname, 'publications', t.subpublications)",
        superuser: Some(true),
        ..plain("subscription", "pg_subscription")
    },
    Catalog {
        content: "jsonb_build_object('name', t.subname, 'owner', t.subowner, 'enabled', t.subenabled, \
            'slot', t.subslotname, 'publications', t.subpublications)",
        whole: true,
        superuser: Some(false),
        ..plain("subscription", "pg_subscription")
    },
    Catalog {
        // its address is that of the other catalog, pg_largeobject
        address: Address::Words("t.oid::text", None),
        ..plain("large object", "pg_largeobject_metadata")
    },
    Catalog {
        key: "t.classoid || '.' || t.objoid || '.' || t.objsubid || '.' || t.provider",
        address: Address::Words(
            "(pg_identify_object(t.classoid, t.objoid, t.objsubid)).identity",
            None,
        ),
        ..plain("security label", "pg_seclabel")
    },
    Catalog {
        key: "t.classoid || '.' || t.objoid || '.' || t.provider",
        address: Address::Words(
            "(pg_identify_object(t.classoid, t.objoid, 0)).identity",
            None,
        ),
        ..plain("security label", "pg_shseclabel")
    },
];
