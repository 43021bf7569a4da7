//! The JSON Schema of the format, for editors.

use schemars::generate::SchemaSettings;

use crate::model::File;

/// The JSON Schema (draft 2020-12) of scenario files, made from the types that read them.
pub fn schema() -> serde_json::Value {
    let schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<File>();
    schema.to_value()
}
