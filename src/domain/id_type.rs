//! The kinds of ID documents.

/// A kind of ID document (the contract's section on the request).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    pub const ALL: [Self; 8] = [
        Self::DriversLicense,
        Self::GovernmentId,
        Self::Passport,
        Self::ResidencePermit,
        Self::VehicleRegistrationCertificate,
        Self::Visa,
        Self::Aadhaar,
        Self::Pancard,
    ];

    /// Returns the name in the form and in the record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DriversLicense => "drivers_license",
            Self::GovernmentId => "government_id",
            Self::Passport => "passport",
            Self::ResidencePermit => "residence_permit",
            Self::VehicleRegistrationCertificate => "vehicle_registration_certificate",
            Self::Visa => "visa",
            Self::Aadhaar => "aadhaar",
            Self::Pancard => "pancard",
        }
    }

    /// Parses a name, which is case-sensitive; `None` if there is no such type.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|id_type| id_type.name() == name)
    }
}
