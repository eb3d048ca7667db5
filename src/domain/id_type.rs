//! The kinds of ID documents.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// A kind of ID document (the contract's section on the request).
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum IdType {
    DriversLicense,
    GovernmentId,
    Passport,
    ResidencePermit,
    VehicleRegistrationCertificate,
    Visa,
    Aadhaar,
    Pancard,
}

impl IdType {
    /// In the contract's order.
    pub const ALL: [Self; Self::VARIANTS.len()] = *Self::VARIANTS.as_array().unwrap();

    /// Returns the name in the form and in the record. Parsing it is case-sensitive.
    pub fn name(self) -> &'static str {
        self.into()
    }
}
