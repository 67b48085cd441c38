//! The steps that check: asking, requiring, and what the SDK builds on them.

use wasmigrate_sdk::expr;
use wasmigrate_sdk::prelude::*;

use crate::answers::Answers;
use crate::script::Args;

/// Does one step.
pub fn step(verb: &str, args: &Args, answers: &mut Answers) -> Result<()> {
    match verb {
        "table-exists" => answers.say(checks::table_exists(args.table(0)?)?),
        "column" => match checks::column(args.table(0)?, args.text(2)?)? {
            Some(found) => {
                answers.say(found.type_name);
                answers.say(found.nullable);
                answers.say(found.default.unwrap_or_default());
            }
            None => answers.say("none"),
        },
        "index" => match checks::index(args.table(0)?)? {
            Some(found) => {
                answers.say(format!("{}.{}", found.table.schema, found.table.name));
                answers.say(found.definition);
                answers.say(found.valid);
            }
            None => answers.say("none"),
        },
        "constraint" => match checks::constraint(args.table(0)?, args.text(2)?)? {
            Some(found) => {
                answers.say(found.definition);
                answers.say(found.validated);
            }
            None => answers.say("none"),
        },
        "extension" => match checks::extension(args.text(0)?)? {
            Some(found) => {
                answers.say(found.schema);
                answers.say(found.version);
            }
            None => answers.say("none"),
        },
        "available-extension" => {
            answers.say(checks::available_extension(args.text(0)?)?.unwrap_or("none".into()));
        }
        "index-standing" => {
            for found in checks::index_standings(&[index(args)?])? {
                answers.say(standing(found));
            }
        }
        "ensure-index" => answers.say(format!("{:?}", index(args)?.ensure()?)),
        "require-index" => index(args)?.require()?,
        "drop-index" => answers.say(index(args)?.drop()?),
        "key-standing" => {
            answers.say(standing(checks::foreign_key_standing(key(args)?.spec())?));
        }
        "ensure-key" => answers.say(format!("{:?}", key(args)?.ensure()?)),
        "enforce-key" => answers.say(format!("{:?}", key(args)?.enforce()?)),
        "require-key" => key(args)?.require()?,
        "drop-key" => answers.say(key(args)?.drop()?),
        "ensure-extension" => {
            let there = Extension::new(args.name(0)?)
                .schema(args.name(1)?)
                .ensure()?;
            answers.say(format!("{} {}", there.schema, there.created));
        }
        "drop-extension" => answers.say(Extension::new(args.name(0)?).drop_if_created()?),
        "require-extension" => {
            answers.say(checks::require_extension(args.text(0)?)?.schema);
        }
        "require-no-rows" => {
            // a script cannot hold a NUL
            let what = args.text(0)?.replace('~', "\0");
            checks::require_no_rows(&what, args.text(1)?, &args.params(2)?)?;
        }
        "require-plan" => {
            checks::require_plan_uses(args.text(2)?, &args.params(3)?, args.table(0)?)?;
        }
        "require-latency" => {
            let limit = args.text(1)?.parse()?;
            checks::require_latency(args.text(0)?, args.text(2)?, &args.params(3)?, limit)?;
        }
        _ => bail!("there is no step {verb}"),
    }
    Ok(())
}

fn standing(standing: checks::Standing) -> String {
    match standing {
        checks::Standing::Absent => "absent".into(),
        checks::Standing::Equal => "equal".into(),
        checks::Standing::Invalid => "invalid".into(),
        checks::Standing::Different(what) => format!("different: {what}"),
    }
}

/// schema, table, name, `unique` or NULL, method, INCLUDE, predicate; then for each key what it is
/// (`column` or `expression`), its text, its operator class as `schema.name` or NULL, and its order.
fn index(args: &Args) -> Result<Index> {
    let mut index = Index::on(args.table(0)?, args.text(2)?)
        .method(args.text(4)?)
        .include(args.names(5));
    if args.optional(3).is_some() {
        index = index.unique();
    }
    if let Some(predicate) = args.optional(6) {
        index = index.only_where(expr::sql(predicate));
    }
    for place in (7..7 + args.rest(7).len()).step_by(4) {
        let mut key = match args.text(place)? {
            "column" => Key::column(args.name(place + 1)?),
            _ => Key::expression(expr::sql(args.text(place + 1)?)),
        };
        if let Some((schema, name)) = args
            .optional(place + 2)
            .and_then(|class| class.split_once('.'))
        {
            key = key.operator_class(&OperatorClass::new(schema, name));
        }
        key = match args.optional(place + 3).unwrap_or_default() {
            "desc" => key.descending(),
            "desc nulls last" => key.descending().nulls_last(),
            "nulls first" => key.nulls_first(),
            _ => key,
        };
        index = index.key(key);
    }
    Ok(index)
}

/// schema, table, name, columns, schema, table, columns, ON UPDATE, ON DELETE.
fn key(args: &Args) -> Result<ForeignKey> {
    let action = |place| {
        Ok(match args.text(place)? {
            "CASCADE" => KeyAction::Cascade,
            "RESTRICT" => KeyAction::Restrict,
            "SET NULL" => KeyAction::SetNull,
            "SET DEFAULT" => KeyAction::SetDefault,
            "NO ACTION" => KeyAction::NoAction,
            other => bail!("there is no action {other}"),
        })
    };
    Ok(ForeignKey::on(args.table(0)?, args.text(2)?)
        .columns(args.names(3))
        .references(args.table(4)?, args.names(6))
        .on_update(action(7)?)
        .on_delete(action(8)?))
}
