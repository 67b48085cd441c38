//! What a need means that a text leaves open, asked of the catalog: whose an index is, which extension has an
//! operator class, which function of a name is there.

use super::failure::Failure;
use super::found::ANY_NAMED;
use super::session::Session;
use crate::guard::grants::name::{Ident, Name};
use crate::guard::grants::signature::Signature;
use crate::guard::grants::{Grant, Kind, Need, Object, Subject};

/// The catalogs of what an extension can have, and how their columns begin.
const OPERATORS: &[(&str, &str)] = &[("pg_operator", "opr")];
const OPERATOR_CLASSES: &[(&str, &str)] = &[("pg_opclass", "opc")];
const TEXT_SEARCH: &[(&str, &str)] = &[("pg_ts_config", "cfg"), ("pg_ts_dict", "dict")];
const TYPES: &[(&str, &str)] = &[("pg_type", "typ")];

impl Session {
    /// The grant that meets a need exactly; none where the catalog knows nothing of that name, or more than one.
    pub async fn named(&self, need: &Need) -> Result<Option<Grant>, Failure> {
        match need {
            Need::Grant(grant) => Ok(Some(grant.clone())),
            Need::Owner { kind, object, name } => {
                let table = match object {
                    Object::Index => {
                        let index = self.index(name.schema.as_str(), name.name.as_str()).await?;
                        index.map(|index| (index.table_schema, index.table_name))
                    }
                    Object::Statistics => self.of_statistics(name).await?,
                    _ => None,
                };
                let Some((schema, table)) = table else {
                    return Ok(None);
                };
                let table = Name::new(&schema, &table).map_err(|why| {
                    Failure::Unusable(format!(
                        "no grant can name the table of {object} {name}: {why}"
                    ))
                })?;
                Ok(Some(Grant::on(*kind, table)))
            }
            Need::Call {
                function,
                arguments,
            } => self.function(function, *arguments).await,
            Need::Extension(extension) => {
                let found = self.extension(extension.as_str()).await?;
                let schema = found.and_then(|found| Ident::new(&found.schema).ok());
                Ok(schema.map(|schema| extension_in(extension.clone(), schema)))
            }
            Need::ExtensionObject { object, name } => match object {
                Object::Operator => self.of_extension(name, OPERATORS).await,
                Object::OperatorClass => self.of_extension(name, OPERATOR_CLASSES).await,
                Object::TextSearch => self.of_extension(name, TEXT_SEARCH).await,
                Object::Index | Object::Statistics => Ok(None),
            },
            Need::Type(name) => {
                let extension = self.of_extension(name, TYPES).await?;
                Ok(extension.or_else(|| need.grant()))
            }
            Need::Columns { .. } | Need::ExtensionType { .. } => Ok(None),
        }
    }

    /// Whether there is a relation of any kind with that name.
    pub async fn is_relation(&self, name: &Name) -> Result<bool, Failure> {
        let names = serde_json::json!([[name.schema.as_str(), name.name.as_str()]]).to_string();
        Ok(self.text(ANY_NAMED, &[&names]).await?.is_some())
    }

    /// The table that extended statistics are of.
    async fn of_statistics(&self, name: &Name) -> Result<Option<(String, String)>, Failure> {
        let sql = "SELECT json_build_array(tn.nspname, t.relname)::text FROM pg_statistic_ext s \
                     JOIN pg_namespace n ON n.oid = s.stxnamespace \
                     JOIN pg_class t ON t.oid = s.stxrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace \
                   WHERE n.nspname = $1 AND s.stxname = $2";
        self.json(sql, &[name.schema.as_str(), name.name.as_str()])
            .await
    }

    /// The extension that has an object of that name in one of these catalogs.
    async fn of_extension(
        &self,
        name: &Name,
        catalogs: &[(&str, &str)],
    ) -> Result<Option<Grant>, Failure> {
        let objects: Vec<String> = catalogs
            .iter()
            .map(|(catalog, prefix)| {
                format!(
                    "SELECT '{catalog}'::regclass, o.oid FROM {catalog} o \
                     JOIN pg_namespace n ON n.oid = o.{prefix}namespace \
                     WHERE n.nspname = $1 AND o.{prefix}name = $2"
                )
            })
            .collect();
        let sql = format!(
            "SELECT coalesce(json_agg(DISTINCT e.extname), '[]')::text FROM pg_depend d \
               JOIN pg_extension e ON e.oid = d.refobjid \
             WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' \
               AND (d.classid, d.objid) IN ({})",
            objects.join(" UNION ALL ")
        );
        let params = [name.schema.as_str(), name.name.as_str()];
        let found: Vec<String> = self.json(&sql, &params).await?.unwrap_or_default();
        Ok(match &found[..] {
            [extension] => (Ident::new(extension).ok())
                .map(|extension| extension_in(extension, name.schema.clone())),
            _ => None,
        })
    }

    /// The function of that name which takes so many arguments, if there is just one.
    async fn function(&self, name: &Name, arguments: usize) -> Result<Option<Grant>, Failure> {
        let sql = "SELECT coalesce(json_agg((SELECT coalesce(json_agg(format_type(a.type, NULL) ORDER BY a.n), '[]') \
                     FROM unnest(p.proargtypes) WITH ORDINALITY AS a(type, n))), '[]')::text \
                   FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
                   WHERE n.nspname = $1 AND p.proname = $2 AND (p.provariadic <> 0 \
                     OR $3::int BETWEEN p.pronargs - p.pronargdefaults AND p.pronargs)";
        let count = arguments.to_string();
        let params = [name.schema.as_str(), name.name.as_str(), &count];
        let found: Vec<Vec<String>> = self.json(sql, &params).await?.unwrap_or_default();
        Ok(match &found[..] {
            [types] => (Signature::of(name.clone(), types).ok()).map(|signature| Grant {
                kind: Kind::Call,
                subject: Subject::Function(signature),
            }),
            _ => None,
        })
    }
}

fn extension_in(extension: Ident, schema: Ident) -> Grant {
    Grant {
        kind: Kind::Extension,
        subject: Subject::Extension(extension, schema),
    }
}
