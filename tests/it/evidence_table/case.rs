//! One row of the table: a product, what stands in its registry and beside it, what is in the way.

use rmsfleet::model::host::PriorAdrms;
use rmsfleet::model::product::Product;

/// Where a default value points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Location {
    Absent,
    Tenant,
    Connector,
    /// The connector by http.
    OtherScheme,
    Third,
    OtherTenant,
}

/// What stands in a key of redirections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Redirect {
    None,
    Ours,
    /// Rows 3 and 4 with paths, row 7 with its path alone: known, and not canonical.
    Foreign,
    /// The tenant's licensing led to AD RMS.
    Phase1,
    /// AD RMS led to the connector.
    Phase4,
    /// The tenant led to a connector of another name.
    OldConnector,
}

/// The organisation's or the farm's own settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    Off,
    OnForeign,
    OnOurs,
    /// On, and nothing says where.
    OnNowhere,
    Unread,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cache {
    Empty,
    Filled,
    Unread,
}

/// What stands in the way, one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    None,
    OneBuildTooOld,
    Edge,
    /// Exchange beside a file server or SharePoint 2010, SharePoint 2010 beside Exchange.
    Fighting,
    /// Products whose values do not touch each other.
    Neighbour,
    ConnectorHere,
    Renames,
    Servicing,
    WindowsUpdate,
    UpdateExe,
    ConfigurationManager,
    ClientTooOld,
    NoClient,
    NoResourceManager,
    Workstation,
    Windows2008R2,
    Denied,
    WantedUnreadable,
    OtherComputer,
    NotInstalled,
}

#[derive(Debug, Clone)]
pub(super) struct Case {
    pub product: Product,
    /// `MSDRM\ServiceLocation\Activation`, 64-bit view.
    pub activation: Location,
    /// The same in the 32-bit view.
    pub activation32: Location,
    /// `MSIPC\ServiceLocation\EnterpriseCertification`, 64-bit view.
    pub certification: Location,
    /// `MSIPC\ServiceLocation\EnterprisePublishing`, 32-bit view.
    pub publishing32: Location,
    /// `MSIPC\ServiceLocation\LicensingRedirection`.
    pub client: Redirect,
    /// Exchange's `LicenseServerRedirection`.
    pub redirect: Redirect,
    pub beside: Beside,
    pub cache: Cache,
    pub prior: PriorAdrms,
    pub trouble: Trouble,
    /// Every wanted value stands there already, but for what the fields above put there.
    pub holds_all: bool,
}

const LOCATIONS: [Location; 6] = [
    Location::Absent,
    Location::Tenant,
    Location::Connector,
    Location::OtherScheme,
    Location::Third,
    Location::OtherTenant,
];
const REDIRECTS: [Redirect; 6] = [
    Redirect::None,
    Redirect::Ours,
    Redirect::Foreign,
    Redirect::Phase1,
    Redirect::Phase4,
    Redirect::OldConnector,
];
const BESIDES: [Beside; 5] =
    [Beside::Off, Beside::OnForeign, Beside::OnOurs, Beside::OnNowhere, Beside::Unread];
const CACHES: [Cache; 3] = [Cache::Empty, Cache::Filled, Cache::Unread];
const PRIORS: [PriorAdrms; 3] = [PriorAdrms::Auto, PriorAdrms::Used, PriorAdrms::Never];
const TROUBLES: [Trouble; 20] = [
    Trouble::None,
    Trouble::OneBuildTooOld,
    Trouble::Edge,
    Trouble::Fighting,
    Trouble::Neighbour,
    Trouble::ConnectorHere,
    Trouble::Renames,
    Trouble::Servicing,
    Trouble::WindowsUpdate,
    Trouble::UpdateExe,
    Trouble::ConfigurationManager,
    Trouble::ClientTooOld,
    Trouble::NoClient,
    Trouble::NoResourceManager,
    Trouble::Workstation,
    Trouble::Windows2008R2,
    Trouble::Denied,
    Trouble::WantedUnreadable,
    Trouble::OtherComputer,
    Trouble::NotInstalled,
];
// What is crossed. One loud piece decides a row, so that the quiet ones come more often.
const CROSSED: [Location; 8] = [
    Location::Absent,
    Location::Absent,
    Location::Tenant,
    Location::Tenant,
    Location::Connector,
    Location::OtherScheme,
    Location::Third,
    Location::OtherTenant,
];
const FEW: [Location; 4] =
    [Location::Absent, Location::Absent, Location::Connector, Location::Third];
const CROSSED_REDIRECTS: [Redirect; 8] = [
    Redirect::None,
    Redirect::None,
    Redirect::Ours,
    Redirect::Ours,
    Redirect::Foreign,
    Redirect::Phase1,
    Redirect::Phase4,
    Redirect::OldConnector,
];
const CROSSED_BESIDES: [Beside; 6] = [
    Beside::Off,
    Beside::OnOurs,
    Beside::Off,
    Beside::OnForeign,
    Beside::OnNowhere,
    Beside::Unread,
];

impl Case {
    pub(super) fn plain(product: Product) -> Self {
        Self {
            product,
            activation: Location::Absent,
            activation32: Location::Absent,
            certification: Location::Absent,
            publishing32: Location::Absent,
            client: Redirect::None,
            redirect: Redirect::None,
            beside: Beside::Off,
            cache: Cache::Empty,
            prior: PriorAdrms::Auto,
            trouble: Trouble::None,
            holds_all: false,
        }
    }

    pub(super) fn count() -> usize {
        let quiet = 8 * 8 * 8 * 6 * 4 * 4 * 4;
        Product::ALL.len() * TROUBLES.len() * PRIORS.len() * CACHES.len() * quiet
    }

    /// The row of this number.
    pub(super) fn numbered(mut number: usize) -> Self {
        fn take<T: Copy>(number: &mut usize, all: &[T]) -> T {
            let one = all[*number % all.len()];
            *number /= all.len();
            one
        }
        let number = &mut number;
        let mut case = Self::plain(take(number, &Product::ALL));
        case.activation = take(number, &CROSSED);
        case.trouble = take(number, &TROUBLES);
        case.client = take(number, &CROSSED_REDIRECTS);
        case.redirect = take(number, &CROSSED_REDIRECTS);
        case.beside = take(number, &CROSSED_BESIDES);
        case.prior = take(number, &PRIORS);
        case.cache = take(number, &CACHES);
        case.certification = take(number, &FEW);
        case.publishing32 = take(number, &FEW);
        case.activation32 = take(number, &FEW);
        case
    }

    /// A plain host with each single piece in turn, and each answer of the inventory.
    pub(super) fn alone(product: Product) -> Vec<Self> {
        let plain = Self::plain(product);
        let mut cases = vec![plain.clone()];
        let mut put = |edit: &dyn Fn(&mut Self)| {
            for prior in PRIORS {
                let mut case = plain.clone();
                case.prior = prior;
                edit(&mut case);
                cases.push(case);
            }
        };
        for location in LOCATIONS {
            put(&|case| case.activation = location);
            put(&|case| case.activation32 = location);
            put(&|case| case.certification = location);
            put(&|case| case.publishing32 = location);
        }
        for redirect in REDIRECTS {
            put(&|case| case.client = redirect);
            put(&|case| case.redirect = redirect);
        }
        for beside in BESIDES {
            put(&|case| case.beside = beside);
        }
        for cache in CACHES {
            put(&|case| case.cache = cache);
        }
        for trouble in TROUBLES {
            put(&|case| case.trouble = trouble);
        }
        cases
    }

    /// `v14` for Exchange 2010.
    pub(super) fn family(&self) -> &'static str {
        if self.product == Product::Exchange2010 { "v14" } else { "v15" }
    }
}
