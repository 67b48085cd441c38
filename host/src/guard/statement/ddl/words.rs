//! What SQL calls the kinds of objects that the grammar numbers.

use pg_query::protobuf::ObjectType as Of;

/// The words for a kind of object, as they follow CREATE, ALTER, DROP and COMMENT ON.
pub fn words(kind: Of) -> &'static str {
    match kind {
        Of::ObjectAccessMethod => "ACCESS METHOD",
        Of::ObjectAggregate => "AGGREGATE",
        Of::ObjectAmop | Of::ObjectAmproc | Of::ObjectOpfamily => "OPERATOR FAMILY",
        Of::ObjectAttribute | Of::ObjectType => "TYPE",
        Of::ObjectCast => "CAST",
        Of::ObjectColumn => "COLUMN",
        Of::ObjectCollation => "COLLATION",
        Of::ObjectConversion => "CONVERSION",
        Of::ObjectDatabase => "DATABASE",
        Of::ObjectDefault => "DEFAULT",
        Of::ObjectDefacl => "DEFAULT PRIVILEGES",
        Of::ObjectDomain => "DOMAIN",
        Of::ObjectDomconstraint => "DOMAIN CONSTRAINT",
        Of::ObjectEventTrigger => "EVENT TRIGGER",
        Of::ObjectExtension => "EXTENSION",
        Of::ObjectFdw => "FOREIGN DATA WRAPPER",
        Of::ObjectForeignServer => "SERVER",
        Of::ObjectForeignTable => "FOREIGN TABLE",
        Of::ObjectFunction => "FUNCTION",
        Of::ObjectIndex => "INDEX",
        Of::ObjectLanguage => "LANGUAGE",
        Of::ObjectLargeobject => "LARGE OBJECT",
        Of::ObjectMatview => "MATERIALIZED VIEW",
        Of::ObjectOpclass => "OPERATOR CLASS",
        Of::ObjectOperator => "OPERATOR",
        Of::ObjectParameterAcl => "PARAMETER",
        Of::ObjectPolicy => "POLICY",
        Of::ObjectProcedure => "PROCEDURE",
        Of::ObjectPublication | Of::ObjectPublicationNamespace | Of::ObjectPublicationRel => {
            "PUBLICATION"
        }
        Of::ObjectRole => "ROLE",
        Of::ObjectRoutine => "ROUTINE",
        Of::ObjectRule => "RULE",
        Of::ObjectSchema => "SCHEMA",
        Of::ObjectSequence => "SEQUENCE",
        Of::ObjectSubscription => "SUBSCRIPTION",
        Of::ObjectStatisticExt => "STATISTICS",
        Of::ObjectTabconstraint => "CONSTRAINT",
        Of::ObjectTable => "TABLE",
        Of::ObjectTablespace => "TABLESPACE",
        Of::ObjectTransform => "TRANSFORM",
        Of::ObjectTrigger => "TRIGGER",
        Of::ObjectTsconfiguration => "TEXT SEARCH CONFIGURATION",
        Of::ObjectTsdictionary => "TEXT SEARCH DICTIONARY",
        Of::ObjectTsparser => "TEXT SEARCH PARSER",
        Of::ObjectTstemplate => "TEXT SEARCH TEMPLATE",
        Of::ObjectUserMapping => "USER MAPPING",
        Of::ObjectView => "VIEW",
        Of::Undefined => "an object of an unknown kind",
    }
}
